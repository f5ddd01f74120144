"""Where MultiProcessRunner makes calls."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from noob_runners.errors import PlacementError, UnpicklableError
from noob_runners.testing.spec import asset, node

sys.path.append(str(Path(__file__).parent))
from multiprocess_help import load, nothing_left, own, runner, workers
from multiprocess_nodes import LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noob_runners import MultiProcessRunner

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with nothing_left():
        yield


def chain(kind: str = "quick", **params: Any) -> Any:
    return load(
        s=own("numbers"),
        a=own(kind, "s.value", params=params or None),
        r=node("return", depends="a.value"),
    )


def process_until(one: MultiProcessRunner, condition: Callable[[Any], bool]) -> Any:
    """Run epochs until one's result is as wanted; return it."""
    end = time.monotonic() + LIMIT_S
    while not condition(result := one.process()):
        assert time.monotonic() < end, f"it is always like {result}"
    return result


def told(error: BaseException) -> str:
    """An exception's message and notes."""
    return "\n".join([str(error), *error.__notes__])


# --- arguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"placement": "near"}, "placement is one of adaptive, remote, local; not 'near'"),
        ({"placement": None}, "placement is one of adaptive, remote, local; not None"),
        ({"placement": {"nowhere": "local"}}, "'nowhere', which the tube does not have.* s, a, r"),
        ({"placement": {"a": "near"}}, "placement of node 'a' is one of .*; not 'near'"),
        ({"placement": {"r": "remote"}}, "node 'r' cannot run in a worker: it is a return"),
        ({"stateful": "nowhere"}, "stateful is one of coordinator, worker; not 'nowhere'"),
    ],
)
def test_a_placement_that_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PlacementError, match=words):
        runner(chain(), **options)


@pytest.mark.parametrize("name", ["m", "g", "b", "t", "k", "c"])
def test_a_node_that_cannot_leave_is_named(name: str) -> None:
    tube = load(
        assets={"box": asset("Box", "runner")},
        l=node("nodes.lists"),
        m=node("map", value="l.value"),
        g=node("gather", value="m.value", n="m.n"),
        b=node("nodes.bump", box="assets.box", value="l.value"),
        t=node("classes.Tally", "l.value"),
        k=node("nodes.trace", "l.value"),
        c=node("nodes.async_mix", "l.value"),
    )
    with pytest.raises(PlacementError, match=f"node '{name}' cannot run in a worker: it"):
        runner(tube, placement={name: "remote"})
    runner(tube, placement="remote", stateful="worker")  # those that may not simply stay


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_workers": 0}, "max_workers must be a whole number of at least 1, not 0"),
        ({"max_workers": 2.5}, "max_workers must be a whole number of at least 1, not 2.5"),
        ({"max_epochs_in_flight": 0}, "max_epochs_in_flight must be a whole number"),
        ({"max_epochs_in_flight": 1.5}, "max_epochs_in_flight must be a whole number"),
        ({"call_timeout": 0}, "call_timeout must be seconds, more than 0 and finite, not 0"),
        ({"call_timeout": float("inf")}, "call_timeout must be seconds"),
        ({"call_timeout": float("nan")}, "call_timeout must be seconds"),
        ({"call_timeout": "3"}, "call_timeout must be seconds"),
        ({"start_method": "x"}, "no start method 'x'"),
    ],
)
def test_other_bad_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        runner(chain(), **options)


# --- each mode


def test_local_never_starts_a_process() -> None:
    with runner(chain("lazy"), placement="local") as one:
        results = one.run(n=10)
        assert results == [[at, os.getpid()] for at in range(10)]
        assert workers() == []
        assert one.stats().nodes["a"].remote_calls == 0


def test_remote_sends_every_call() -> None:
    with runner(chain("pid"), placement="remote") as one:
        places = set(one.run(n=10))
        assert os.getpid() not in places
        assert places <= {worker.pid for worker in workers()}
        stats = one.stats().nodes
        assert (stats["a"].calls, stats["a"].remote_calls) == (10, 10)
        assert stats["s"].remote_calls == 0


def test_each_node_has_its_place() -> None:
    tube = load(
        s=own("numbers"),
        a=own("lazy", "s.value"),
        b=own("lazy", "s.value"),
        c=own("pid", "s.value"),
        r=node("return", a="a.value", b="b.value", c="c.value"),
    )
    wanted = {"a": "local", "b": "remote"}  # c is adaptive, and quick
    with runner(tube, placement=wanted) as one:
        for at, result in enumerate(one.run(n=6)):
            assert result["a"] == [at, os.getpid()]
            assert result["b"][0] == at
            assert result["b"][1] != os.getpid()
        assert one.stats().nodes["a"].remote_calls == 0
        assert one.stats().nodes["b"].remote_calls == 6


def test_stateful_nodes_live_in_workers_if_they_are_to() -> None:
    tube = load(
        s=own("numbers"),
        k=own("Sum", "s.value"),
        j=own("Sum", "s.value"),
        r=node("return", k="k.value", j="j.value"),
    )
    with runner(tube, placement={"k": "remote"}) as one:
        results = one.run(n=6)
    assert [result["k"][0] for result in results] == [0, 1, 3, 6, 10, 15]
    assert [result["j"] for result in results] == [
        [total, os.getpid()] for total in (0, 1, 3, 6, 10, 15)
    ]
    (home,) = {result["k"][1] for result in results}
    assert home != os.getpid()


@pytest.mark.parametrize("options", [{"placement": "local"}, {"placement": {"k": "local"}}, {}])
def test_stateful_nodes_that_stay(options: dict[str, Any]) -> None:
    tube = load(s=own("numbers"), k=own("Sum", "s.value"), r=node("return", depends="k.value"))
    stateful = "worker" if options else "coordinator"
    with runner(tube, stateful=stateful, **options) as one:
        assert one.run(n=3) == [[total, os.getpid()] for total in (0, 1, 3)]


# --- adaptive


def test_quick_nodes_stay() -> None:
    with runner(chain()) as one:
        assert one.run(n=8) == list(range(8))
        assert workers() == []
        assert one.stats().nodes["a"].remote_calls == 0
        assert all(worker.calls == 0 for worker in one.stats().workers)


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_slow_nodes_leave(method: str) -> None:
    with runner(chain("lazy"), start_method=method) as one:
        first = one.process()
        assert first == [0, os.getpid()]
        away = process_until(one, lambda result: result[1] != os.getpid())
        assert away[1] in {worker.pid for worker in workers()}
        assert one.stats().nodes["a"].remote_calls > 0
        assert [value for value, _ in one.run(n=5)] == [*range(away[0] + 1, away[0] + 6)]


def test_slow_nodes_leave_while_run_goes_on() -> None:
    with runner(chain("lazy")) as one:
        process_until(one, lambda result: result[1] != os.getpid())
        places = {place for _, place in one.run(n=20)}
        assert os.getpid() not in places


def test_nodes_that_have_become_quick_come_back() -> None:
    with runner(chain("hurried", after=200)) as one:
        process_until(one, lambda place: place != os.getpid())
        process_until(one, lambda place: place == os.getpid())
        assert one.stats().nodes["a"].calls > one.stats().nodes["a"].remote_calls > 0


# --- what cannot travel


def test_a_function_that_cannot_be_pickled_is_named_before_anything_runs() -> None:
    one = runner(chain("shy"), placement="remote")
    with pytest.raises(UnpicklableError, match=r"'a'.*function") as raised:
        one.init()
    assert "<lambda>" in str(raised.value)
    assert not one.running
    with pytest.raises(UnpicklableError):
        one.process()
    one.deinit()


def test_a_function_that_cannot_be_pickled_stays() -> None:
    with runner(chain("shy_and_slow")) as one:
        assert one.run(n=8) == [[at, os.getpid()] for at in range(8)]


def test_a_function_that_cannot_be_pickled_stays_beside_others_that_leave() -> None:
    tube = load(
        s=own("numbers"),
        a=own("shy_and_slow", "s.value"),
        b=own("lazy", "s.value"),
        r=node("return", a="a.value", b="b.value"),
    )
    with runner(tube) as one:
        result = process_until(one, lambda result: result["b"][1] != os.getpid())
        assert result["a"] == [result["b"][0], os.getpid()]
        assert one.stats().nodes["a"].remote_calls == 0


@pytest.mark.parametrize(
    ("source", "type_name"), [("locks", "_thread.lock"), ("generators", "generator")]
)
def test_an_argument_that_cannot_be_pickled_is_named(
    source: str, type_name: str, tmp_path: Any
) -> None:
    tube = load(
        s=own(source),
        a=own("kind", "s.value", params={"folder": str(tmp_path)}),
        r=node("return", depends="a.value"),
    )
    with runner(tube, placement="remote") as one:
        for _ in range(2):
            with pytest.raises(UnpicklableError) as raised:
                one.process()
            for word in ("argument 0 of node 'a'", "0 is s.value", type_name):
                assert word in told(raised.value)
        assert list(tmp_path.iterdir()) == []


def test_an_argument_by_name_that_cannot_be_pickled_is_named() -> None:
    tube = load(s=own("numbers"), l=own("locks"), a=own("add", left="s.value", right="l.value"))
    with runner(tube, placement="remote") as one, pytest.raises(UnpicklableError) as raised:
        one.process()
    for word in ("argument 'right' of node 'a'", "'right' is l.value", "_thread.lock"):
        assert word in told(raised.value)


@pytest.mark.parametrize("source", ["locks", "generators"])
def test_a_node_that_takes_what_cannot_be_pickled_stays(source: str) -> None:
    tube = load(
        s=own(source),
        a=own("kind", "s.value", params={"seconds": 0.005}),
        q=own("numbers"),
        b=own("lazy", "q.value"),
        r=node("return", a="a.value", b="b.value"),
    )
    kind = "lock" if source == "locks" else "generator"
    with runner(tube) as one:
        process_until(one, lambda result: result["b"][1] != os.getpid())
        for result in one.run(n=8):
            assert result["a"] == kind
        assert one.stats().nodes["b"].remote_calls > 0
        assert one.stats().nodes["a"].remote_calls == 0


def test_a_returned_value_that_cannot_be_pickled_is_named() -> None:
    with runner(chain("lock"), placement="remote") as one:
        for _ in range(2):
            with pytest.raises(UnpicklableError) as raised:
                one.process()
            for word in ("returned", "'a'", "a.value", "_thread.lock"):
                assert word in str(raised.value)


def test_a_node_that_returns_what_cannot_be_pickled_stays() -> None:
    tube = load(
        s=own("numbers"),
        a=own("lock", "s.value", params={"seconds": 0.005}),
        b=own("kind", "a.value", params={"seconds": 0.005}),
        c=own("lazy", "s.value"),
        r=node("return", b="b.value", c="c.value"),
    )
    with runner(tube) as one:
        last, _ = process_until(one, lambda result: result["c"][1] != os.getpid())["c"]
        for at, result in enumerate(one.run(n=8), last + 1):
            assert result["b"] == "lock"
            assert result["c"][0] == at
