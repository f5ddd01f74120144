"""Several epochs under way at the same time, and still SynchronousRunner's results."""

from __future__ import annotations

import os
import sys
from itertools import count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from noob import Epoch, SynchronousRunner
from noob.event import MetaSignal
from noob.exceptions import InputMissingError, SchedulerExhaustedError

from noob_runners import IndexedTube
from noob_runners.flight import Upcoming
from noob_runners.testing import equal, tube_cases
from noob_runners.testing.limits import HangError, batch_limit, time_limit
from noob_runners.testing.observation import Raised
from noob_runners.testing.observation import load as load_case
from noob_runners.testing.scripts import attempt
from noob_runners.testing.spec import given as wanted
from noob_runners.testing.spec import node

sys.path.append(str(Path(__file__).parent))
from flights_help import BOTH, remote, scrambled, take
from multiprocess_help import load, nothing_left, own
from multiprocess_nodes import HERE, Odd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noob_runners.remote import RemoteCoordinator
    from noob_runners.testing import Case

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with nothing_left():
        yield


# --- they really overlap


@pytest.mark.parametrize("way", ["run", "process_many"])
def test_epochs_overlap(way: str, tmp_path: Path) -> None:
    """Each call waits until as many have begun as there are workers."""
    tube = load(
        s=own("numbers"),
        a=own("meet", "s.value", params={"folder": str(tmp_path), "wanted": 4}),
        r=node("return", depends="a.value"),
    )
    with remote(tube, max_workers=4) as one:
        results = one.run(n=12) if way == "run" else list(one.process_many(repeat({}, 12)))
    assert results == list(range(12))
    assert HERE["drawn"] == list(range(12))
    assert len(list(tmp_path.iterdir())) == 12


@BOTH
@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_are_under_way_than_may_be(make: Callable[..., Any], most: int) -> None:
    HERE.update(open=[], taken=0)
    tube = load(s=own("bounded"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    options = {"max_epochs_in_flight": most} if make is remote else {"flights": most}
    with make(tube, **options) as one:
        for at, result in enumerate(one.process_many(repeat({}, 30))):
            assert result == at
            HERE["taken"] += 1
    assert max(HERE["open"]) == most
    assert len(HERE["open"]) == 30


@BOTH
def test_results_come_in_order_whichever_call_ends_first(make: Callable[..., Any]) -> None:
    tube = load(
        s=own("numbers"),
        a=own("backwards", "s.value"),
        k=own("Seen", "a.value"),
        r=node("return", a="a.value", k="k.value"),
    )
    with make(tube) as one:
        results = one.run(n=16)
    assert results == [{"a": at, "k": list(range(at + 1))} for at in range(16)]


def test_stateful_nodes_in_workers_see_epochs_in_order() -> None:
    tube = load(
        s=own("numbers"),
        a=own("backwards", "s.value"),
        k=own("Seen", "a.value"),
        b=own("backwards", "s.value"),
        j=own("Sum", "b.value"),
        r=node("return", k="k.value", j="j.value"),
    )
    with remote(tube, stateful="worker") as one:
        results = one.run(n=16)
    assert [result["k"] for result in results] == [list(range(at + 1)) for at in range(16)]
    assert [result["j"][0] for result in results] == [at * (at + 1) // 2 for at in range(16)]
    assert {os.getpid()}.isdisjoint(result["j"][1] for result in results)
    assert HERE == {}  # the source was not asked here


@BOTH
def test_maps_and_gathers_across_epochs(make: Callable[..., Any]) -> None:
    nodes = {
        "s": own("numbers"),
        "t": own("ten", "s.value"),
        "m": node("map", "t.value"),
        "a": own("backwards", "m.value"),
        "g": node("gather", value="a.value", n="m.n"),
        "h": node("gather", value="s.value", params={"n": 3}),
        "c": node("nodes.mix", "h.value"),
        "r": node("return", g="g.value", h="h.value", c="c.value"),
    }
    with SynchronousRunner(load(**nodes)) as reference:
        expected = [reference.process() for _ in range(9)]
    with make(load(**nodes)) as one:
        assert equal(list(one.process_many(repeat({}, 9))), expected)


def test_the_first_epoch_with_a_map_ends_after_later_ones() -> None:
    """Only the first in two epochs has a list, the others are over at once."""
    nodes = {
        "s": node("nodes.sometimes"),
        "t": own("ten", "s.value"),
        "m": node("map", "t.value"),
        "a": own("quick", "m.value"),
        "g": node("gather", value="a.value", n="m.n"),
        "r": node("return", depends="g.value"),
    }
    with SynchronousRunner(load(**nodes)) as reference:
        expected = [reference.process() for _ in range(7)]
    assert expected[0] == [0, 1, 2]
    for seed in range(40):
        with scrambled(load(**nodes), seed=seed) as one:
            assert list(one.process_many(repeat({}, 7))) == expected


# --- how they end


@BOTH
def test_a_source_runs_out(make: Callable[..., Any]) -> None:
    nodes = {
        "s": own("numbers", params={"limit": 5}),
        "a": own("quick", "s.value"),
        "k": own("Seen", "a.value"),
        "r": node("return", depends="k.value"),
    }
    with SynchronousRunner(load(**nodes)) as reference:
        expected = [attempt(reference.process) for _ in range(8)]
    with make(load(**nodes)) as one:
        observed: list[Any] = []
        with pytest.raises(SchedulerExhaustedError):
            take(one.process_many(repeat({})), observed)
        while len(observed) < 8:
            observed.append(attempt(one.process))
    assert equal(observed, expected)
    with make(load(**nodes)) as one:
        assert one.run(n=9) == expected[:5]


@BOTH
def test_a_call_raises_at_its_turn_and_the_next_epoch_goes_on(make: Callable[..., Any]) -> None:
    tube = load(
        s=own("numbers"),
        a=own("refuse", "s.value", params={"at": 5}),
        b=own("quick", "a.value"),
        r=node("return", depends="b.value"),
    )
    with make(tube) as one:
        results: list[Any] = []
        with pytest.raises(Odd, match="odd 5") as raised:
            take(one.process_many(repeat({})), results)
        assert results == [0, 1, 2, 3, 4]
        assert raised.value.value == 5
        assert raised.value.__notes__ == ["in node 'a', epoch 5"]
        assert one.process() == 6
        assert one.run(n=5) == [7, 8, 9, 10, 11]
        assert HERE["drawn"] == list(range(len(HERE["drawn"])))


@BOTH
def test_several_calls_raise(make: Callable[..., Any]) -> None:
    tube = load(
        s=own("numbers"),
        a=own("refuse", "s.value", params={"at": 2}),
        b=own("refuse", "s.value", params={"at": 3}),
        r=node("return", a="a.value", b="b.value"),
    )
    with make(tube) as one:
        with pytest.raises(Odd, match="odd 2"):
            one.run(n=9)
        with pytest.raises(Odd, match="odd 3"):
            one.run(n=9)
        assert one.run(n=2) == [{"a": at, "b": at} for at in (4, 5)]


@BOTH
def test_a_call_in_a_subepoch_raises(make: Callable[..., Any]) -> None:
    tube = load(
        s=own("numbers"),
        t=own("ten", "s.value"),
        m=node("map", "t.value"),
        a=own("refuse", "m.value", params={"at": 21}),
        g=node("gather", value="a.value", n="m.n"),
        r=node("return", depends="g.value"),
    )
    with make(tube) as one:
        with pytest.raises(Odd, match="odd 21") as raised:
            one.run(n=9)
        assert raised.value.__notes__ == ["in node 'a', epoch (2, ('m', 1))"]
        assert one.run(n=2) == [[30, 31, 32], [40, 41, 42]]


@BOTH
def test_a_source_raises_when_it_is_its_turn(make: Callable[..., Any]) -> None:
    tube = load(s=own("breaking"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    with make(tube) as one:
        results: list[Any] = []
        with pytest.raises(RuntimeError, match="the source broke at 3") as raised:
            take(one.process_many(repeat({}, 9)), results)
        assert results == [0, 1, 2]
        assert raised.value.__notes__ == ["in node 's', epoch 3"]


# --- inputs


def adding(**options: Any) -> dict[str, Any]:
    return {
        "inputs": {"x": wanted("process", **options)},
        "s": own("numbers"),
        "a": own("add", left="s.value", right="input.x"),
        "b": own("quick", "a.value"),
        "k": own("Seen", "b.value"),
        "r": node("return", b="b.value", k="k.value"),
    }


@BOTH
def test_every_epoch_has_its_own_inputs(make: Callable[..., Any]) -> None:
    inputs = [{"x": 100 * at} for at in range(12)]
    with SynchronousRunner(load(**adding())) as reference:
        expected = [reference.process(**given) for given in inputs]
    with make(load(**adding())) as one:
        assert list(one.process_many(iter(inputs))) == expected


@BOTH
def test_an_input_is_missing_at_its_turn(make: Callable[..., Any]) -> None:
    inputs: list[dict[str, int]] = [{"x": 1}, {"x": 2}, {}, {"x": 3}]
    with make(load(**adding())) as one:
        results: list[Any] = []
        with pytest.raises(InputMissingError):
            take(one.process_many(inputs), results)
        assert [result["b"] for result in results] == [1, 3]
        assert one.process(x=3)["b"] == 5  # nothing of it has begun


@BOTH
def test_the_inputs_raise_at_their_turn(make: Callable[..., Any]) -> None:
    def inputs() -> Iterator[dict[str, int]]:
        yield from ({"x": at} for at in range(6))
        raise LookupError("no more of them")

    with make(load(**adding())) as one:
        results: list[Any] = []
        with pytest.raises(LookupError, match="no more of them"):
            take(one.process_many(inputs()), results)
        assert [result["b"] for result in results] == [0, 2, 4, 6, 8, 10]
        assert one.process(x=0)["b"] == 6


@BOTH
def test_the_inputs_are_read_no_further_than_needed(make: Callable[..., Any]) -> None:
    read = count()
    with make(load(**adding())) as one:
        many = one.process_many({"x": next(read)} for _ in repeat(None))
        assert [next(many)["b"] for _ in range(3)] == [0, 2, 4]
        assert next(read) <= 3 + 4  # max_epochs_in_flight, of either kind
        many.close()
    with make(load(**adding())) as one:
        assert list(one.process_many([])) == []


@BOTH
def test_process_many_closed_early_then_other_inputs(make: Callable[..., Any]) -> None:
    """What was begun with other inputs is not what is handed back."""
    with make(load(**adding())) as one:
        many = one.process_many({"x": 0} for _ in range(20))
        assert [next(many)["b"] for _ in range(3)] == [0, 1, 2]
        many.close()
        result = one.process(x=1000)["b"]
        assert result >= 1003
        assert [r["b"] for r in one.process_many([{"x": 2000}, {"x": 3000}])] == [
            result + 1001,
            result + 2002,
        ]


@BOTH
def test_process_many_closed_early_goes_on(make: Callable[..., Any]) -> None:
    tube = load(s=own("numbers"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    with make(tube) as one:
        many = one.process_many(repeat({}))
        assert [next(many) for _ in range(3)] == [0, 1, 2]
        many.close()
        assert [one.process() for _ in range(3)] == [3, 4, 5]
        assert one.run(n=4) == [6, 7, 8, 9]
        assert list(one.process_many(repeat({}, 3))) == [10, 11, 12]


@BOTH
def test_an_error_with_inputs_that_stay_the_same(make: Callable[..., Any]) -> None:
    """Epochs that were begun with what is asked for are handed back."""
    nodes = {
        **adding(default=0),
        "a": own("add", left="s.value", right="input.x"),
        "b": own("refuse", "a.value", params={"at": 3}),
    }
    with make(load(**nodes)) as one:
        with pytest.raises(Odd, match="odd 3"):
            one.run(n=20)
        assert [result["b"] for result in one.run(n=3)] == [4, 5, 6]


def test_inputs_that_are_read_ahead() -> None:
    def inputs() -> Iterator[dict[str, int]]:
        yield from ({"x": at} for at in range(2))
        raise LookupError("no more of them")

    upcoming = Upcoming(inputs())
    assert upcoming.peek(2) == {"x": 1}
    assert upcoming.peek(3) is None  # looking ahead raises nothing
    assert upcoming.due() == upcoming.take() == {"x": 0}
    assert upcoming.peek(2) is None
    assert upcoming.take() == {"x": 1}
    assert upcoming.peek(1) is None
    assert upcoming.take() is None
    with pytest.raises(LookupError):
        upcoming.due()
    ended = Upcoming(iter([{"x": 0}]))
    assert ended.peek(2) is None
    assert ended.take() == {"x": 0}
    assert ended.due() is None


# --- random tubes


def in_turn(one: Any, inputs: list[Any]) -> list[Any]:
    """What `process` gives for each, up to the first exception."""
    seen: list[Any] = []
    while len(seen) < len(inputs) and not (seen and isinstance(seen[-1], Raised)):
        seen.append(attempt(lambda: one.process(**inputs[len(seen)])))
    return seen


def at_once(one: RemoteCoordinator, inputs: list[Any]) -> list[Any]:
    """The same by `process_many`."""
    many = one.process_many(iter(inputs))
    seen: list[Any] = []
    while len(seen) < len(inputs) and not (seen and isinstance(seen[-1], Raised)):
        seen.append(attempt(lambda: next(many)))
    return seen


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    case=tube_cases(),
    flights=st.integers(1, 5),
    seed=st.integers(0, 1000),
    stateful=st.sampled_from(["coordinator", "worker"]),
    epochs=st.integers(1, 9),
)
@pytest.mark.filterwarnings("ignore::noob.exceptions.ExtraInputWarning")
def test_random_tubes(case: Case, flights: int, seed: int, stateful: str, epochs: int) -> None:
    """With inputs, stateful nodes on either side, and exceptions."""
    inputs = [dict(case.inputs[at % len(case.inputs)]) for at in range(epochs)]
    reference = attempt(lambda: SynchronousRunner(load_case(case)))
    if isinstance(reference, Raised):
        reject()
    try:
        with batch_limit():
            expected = in_turn(reference, inputs)
    except HangError:
        reject()
    tube = load_case(case, IndexedTube)
    one = scrambled(tube, flights, seed=seed, stateful=stateful)
    with time_limit(30.0):
        observed = at_once(one, inputs)
        if isinstance(observed[-1], Raised):
            attempt(lambda: one.process(**inputs[0]))  # whatever it says, it comes to an end
        one.deinit()
    assert equal(observed, expected), f"{observed} instead of {expected}"


# --- what was found in review


@BOTH
def test_inputs_may_be_one_dictionary_that_changes(make: Callable[..., Any]) -> None:
    def inputs() -> Iterator[dict[str, Any]]:
        given = {}
        for at in range(12):
            given["x"] = at
            yield given

    tube = load(
        inputs={"x": wanted("process")},
        s=own("numbers"),
        a=own("pair", "s.value", "input.x"),
        r=node("return", depends="a.value"),
    )
    with make(tube) as one:
        results = [tuple(result) for result in one.process_many(inputs())]
    assert results == [(at, at) for at in range(12)]


def test_epochs_of_a_tube_that_lives_by_its_inputs_overlap(tmp_path: Path) -> None:
    tube = load(
        inputs={"x": wanted("process")},
        a=own("meet", "input.x", params={"folder": str(tmp_path), "wanted": 4}),
        r=node("return", depends="a.value"),
    )
    with remote(tube, max_workers=4) as one:
        results = list(one.process_many({"x": at} for at in range(12)))
        assert results == list(range(12))
        assert one.process(x=12) == 12


@pytest.mark.parametrize("seed", range(8))
def test_what_follows_a_call_has_what_that_call_returned(seed: int) -> None:
    """Also where the first of a chain comes to be called here while the chain is under way."""
    tube = load(
        s=own("numbers"),
        a=own("unique", "s.value"),
        b=own("quick", "a.value"),
        c=own("quick", "b.value"),
        r=node("return", a="a.value", b="b.value", c="c.value"),
    )
    with scrambled(tube, seed=seed, restless=True) as one:
        for result in one.run(n=30):
            assert result["a"] == result["b"] == result["c"]


def test_a_stateful_node_elsewhere_is_called_there_though_an_input_is_silent() -> None:
    def made() -> Any:
        return load(
            inputs={"x": wanted("process", default=0)},
            s=own("numbers"),
            k=own("Seen", "s.value"),
            r=node("return", depends="k.value"),
        )

    given = [{"x": 1}, {"x": MetaSignal.NoEvent}, {"x": 2}]
    reference = SynchronousRunner(made())
    expected = [reference.process(**one) for one in given]
    HERE.clear()
    with remote(made(), stateful="worker") as one:
        assert list(one.process_many(given)) == expected


def test_what_is_not_shown_yet_cannot_be_cleared() -> None:
    nodes = {
        "a": node("nodes.count"),
        "b": node("nodes.mix", "a.value"),
        "r": node("return", depends="b.value"),
    }
    with SynchronousRunner(load(**nodes)) as plain:
        expected = plain.run(n=5)
    with scrambled(load(**nodes)) as one:
        results = []
        for at, result in enumerate(one.process_many(repeat({}, 5))):
            results.append(result)
            one.store.clear(Epoch(at + 1))
            one.store.clear()
        assert equal(results, expected)
