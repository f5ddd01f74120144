"""What goes wrong in workers, and what is left of a runner: nothing."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from noob import SynchronousRunner

from noob_runners.errors import CallTimeoutError, PoisonedCallError, WorkerLostError
from noob_runners.pool.failures import RemoteTraceback
from noob_runners.testing.spec import node

sys.path.append(str(Path(__file__).parent))
from multiprocess_help import is_alive, load, nothing_left, own, runner, workers
from multiprocess_nodes import HERE, LIMIT_S, KeywordOnly, Odd, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with nothing_left():
        yield


def chain(kind: str, **params: Any) -> Any:
    return load(
        s=own("numbers"),
        a=own(kind, "s.value", params=params or None),
        b=own("quick", "a.value"),
        r=node("return", depends="b.value"),
    )


def remote(tube: Any, **options: Any) -> Any:
    return runner(tube, placement="remote", **options)


# --- workers that die


def test_a_worker_is_killed_in_the_middle_of_a_call(tmp_path: Path) -> None:
    killed = []

    def kill() -> None:
        name = until(lambda: next(tmp_path.glob("pid-*"), None), "the call")
        killed.append(int(name.name.removeprefix("pid-")))
        os.kill(killed[0], signal.SIGKILL)
        until(lambda: len(list(tmp_path.glob("pid-*"))) > 1, "the second call")
        (tmp_path / "go").touch()

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with remote(chain("linger", folder=str(tmp_path), at=2)) as one:
        assert one.run(n=6) == [0, 10, 20, 30, 40, 50]
        thread.join(LIMIT_S)
        until(lambda: not one._pool.wait(0.05) and one._pool.capacity == 2, "a new worker")
        assert killed[0] not in {worker.pid for worker in workers()}
        assert len(workers()) == 2
        assert one.run(n=2) == [60, 70]


def test_all_workers_are_killed_while_idle() -> None:
    with remote(chain("pid")) as one:
        before = set(one.run(n=4))
        for worker in workers():
            worker.kill()
        assert before.isdisjoint(one.run(n=4))


def test_a_call_that_kills_its_worker_each_time() -> None:
    with remote(chain("fatal", at=3)) as one:
        assert one.run(n=3) == [0, 1, 2]
        with pytest.raises(PoisonedCallError, match="3 workers have died in node 'a'") as raised:
            one.run(n=9)
        assert raised.value.__notes__ == ["in node 'a', epoch 3"]
        assert one.run(n=3) == [4, 5, 6]


def test_a_stateful_node_dies_with_its_worker() -> None:
    tube = load(
        s=own("numbers"),
        k=own("Sum", "s.value", params={"dies_at": 3}),
        r=node("return", depends="k.value"),
    )
    with runner(tube, placement={"k": "remote"}) as one:
        assert [one.process()[0] for _ in range(3)] == [0, 1, 3]
        for at in (3, 4, 5):
            with pytest.raises(WorkerLostError, match="stateful node 'k'") as raised:
                one.process()
            assert raised.value.__notes__ == [f"in node 'k', epoch {at}"]
        one.deinit()
        one.init()
        # NOOB lets sources begin anew.
        total, home = one.process()
        assert home in {worker.pid for worker in workers()}
        assert total == HERE["drawn"][-1]


def test_a_stateful_node_is_lost_between_calls() -> None:
    tube = load(s=own("numbers"), k=own("Sum", "s.value"), r=node("return", depends="k.value"))
    with runner(tube, placement={"k": "remote"}) as one:
        _, home = one.process()
        os.kill(home, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(home) or not is_alive(psutil.Process(home)))
        with pytest.raises(WorkerLostError, match="'k'"):
            one.process()


# --- workers that take too long


def test_a_call_takes_too_long(tmp_path: Path) -> None:
    with remote(chain("linger", folder=str(tmp_path), at=2), call_timeout=1.0) as one:
        assert [one.process(), one.process()] == [0, 10]
        with pytest.raises(CallTimeoutError, match=r"node 'a'.* took longer than 1 s"):
            one.process()
        (late,) = tmp_path.glob("pid-*")
        assert int(late.name.removeprefix("pid-")) not in {worker.pid for worker in workers()}
        assert one.run(n=3) == [30, 40, 50]


def test_a_worker_is_stopped_in_a_call() -> None:
    with remote(chain("frozen", at=1), call_timeout=1.0) as one:
        assert one.process() == 0
        with pytest.raises(CallTimeoutError, match="node 'a'"):
            one.process()
        assert one.run(n=3) == [2, 3, 4]


def test_a_worker_is_stopped_while_idle() -> None:
    with remote(chain("lazy"), call_timeout=2.0) as one:
        one.run(n=4)
        frozen = workers()[0]
        frozen.suspend()
        assert [value for value, _ in one.run(n=8)] == list(range(4, 12))


def test_stopped_workers_end_with_the_runner() -> None:
    with remote(chain("pid")) as one:
        one.run(n=4)
        for worker in workers():
            worker.suspend()


# --- exceptions


@pytest.mark.parametrize(
    ("kind", "error", "words", "attribute"),
    [
        ("refuse", Odd, "odd 3", ("value", 3)),
        ("fine", KeywordOnly, "code 0", ("code", 0)),
        ("leave", SystemExit, "4", ("code", 4)),
    ],
)
def test_an_exception_arrives_as_it_was(
    kind: str, error: type[BaseException], words: str, attribute: tuple[str, Any]
) -> None:
    with remote(chain(kind)) as one:
        with pytest.raises(error, match=words) as raised:
            one.run(n=9)
        name, value = attribute
        assert getattr(raised.value, name) == value
        epoch = 3 if kind == "refuse" else 0
        own_notes = ["of its own"] if kind == "fine" else []
        notes = getattr(raised.value, "__notes__", [])
        if issubclass(error, Exception):
            assert notes == [*own_notes, f"in node 'a', epoch {epoch}"]
        assert isinstance(raised.value.__cause__, RemoteTraceback)
        assert f"in {kind}" in str(raised.value.__cause__)
        if kind == "refuse":
            assert one.run(n=2) == [4, 5]


def test_an_exception_in_a_chain_is_of_the_node_that_raised() -> None:
    tube = load(
        s=own("numbers"),
        a=own("quick", "s.value"),
        b=own("refuse", "a.value", params={"at": 1}),
        c=own("quick", "b.value"),
        r=node("return", depends="c.value"),
    )
    with remote(tube) as one:
        assert one.process() == 0
        with pytest.raises(Odd) as raised:
            one.process()
        assert raised.value.__notes__ == ["in node 'b', epoch 1"]
        assert one.process() == 2


def test_a_callback_raises() -> None:
    def fail(event: Any) -> None:
        if event["node_id"] == "a" and event["value"] == 2:
            raise LookupError("within a callback")

    one = remote(chain("quick"))
    one.add_callback(fail)
    with one:
        assert [one.process(), one.process()] == [0, 1]
        with pytest.raises(LookupError, match="within a callback"):
            one.process()
        assert [one.process(), one.process()] == [3, 4]
        assert len(workers()) == 2


def test_a_callback_raises_while_calls_are_under_way(tmp_path: Path) -> None:
    tube = load(
        s=own("numbers"),
        a=own("linger", "s.value", params={"folder": str(tmp_path)}),
        b=own("quick", "s.value"),
        r=node("return", a="a.value", b="b.value"),
    )

    def fail(event: Any) -> None:
        if event["node_id"] == "s":
            raise LookupError("within a callback")

    one = remote(tube)
    one.add_callback(fail)
    with one, pytest.raises(LookupError):
        one.process()


# --- the end


def test_deinit_twice_and_then_again() -> None:
    one = remote(chain("quick"))
    one.deinit()
    for _ in range(2):
        assert one.run(n=2) is not None
        assert len(workers()) == 2
        one.deinit()
        one.deinit()
        assert workers() == []


def stopped_by(what: str) -> dict[str, Any]:
    return {
        "s": own("numbers"),
        "a": own("quick", "s.value"),
        "b": own("quick", "s.value"),
        "c": own("stop_here", "b.value", params={"at": -1 if what == "callback" else 2}),
        "d": own("quick", "c.value"),
        "r": node("return", a="a.value", b="b.value", d="d.value"),
    }


def stoppable(what: str) -> Any:
    modes = dict.fromkeys("abd", "remote") | {"c": "local"}
    HERE["runner"] = runner(load(**stopped_by(what)), placement=modes)
    return HERE["runner"]


@pytest.mark.parametrize("what", ["callback", "node"])
def test_deinit_in_the_middle(what: str) -> None:
    def stop(event: Any) -> None:
        if event["node_id"] == "a" and event["value"] == 2:
            HERE["runner"].deinit()

    def play(one: Any) -> list[Any]:
        if what == "callback":
            one.add_callback(stop)
        return [*(one.process() for _ in range(3)), one.running]

    HERE["runner"] = SynchronousRunner(load(**stopped_by(what)))
    expected = play(HERE["runner"])
    assert not expected[-1]
    assert play(stoppable(what)) == expected
    assert workers() == []
    assert HERE["runner"].run(n=2) is not None
    assert len(workers()) == 2
    HERE["runner"].deinit()


def test_deinit_by_an_epoch_that_is_ahead() -> None:
    """Its effect comes early, as it was begun early; what is handed back is whole."""
    one = stoppable("node")
    for result in one.run(n=5):
        assert result["a"] == result["b"] == result["d"]
    one.deinit()


def test_deinit_between_results(tmp_path: Path) -> None:
    one = remote(chain("linger", folder=str(tmp_path), at=3))
    many = one.process_many(repeat({}))
    assert [next(many), next(many)] == [0, 10]
    one.deinit()
    many.close()
    assert workers() == []
    assert not one.running


def test_an_exception_within_the_with_statement(tmp_path: Path) -> None:
    def fail() -> None:
        with remote(chain("linger", folder=str(tmp_path), at=1)) as one:
            next(one.process_many(repeat({})))
            raise LookupError("by the user")

    with pytest.raises(LookupError):
        fail()
    assert workers() == []


@pytest.mark.parametrize("ahead", [False, True])
def test_a_runner_that_is_dropped(ahead: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    one = remote(chain("quick"))
    many = one.process_many(repeat({}))
    assert next(many) == 0
    assert len(workers()) == 2
    if not ahead:
        assert list(one.run(n=3)) == [1, 2, 3]
    del one, many
    until(lambda: gc.collect() is not None and not workers(), "the end of all workers")


_SCRIPT = """
    import sys
    sys.path.append({folder!r})
    from multiprocess_help import load, node, own, runner

    if __name__ == "__main__":
        tube = load(
            s=own("numbers"),
            a=own("linger", "s.value", params={{"folder": sys.argv[1], "at": 2}}),
            r=node("return", depends="a.value"),
        )
        with runner(tube, placement="remote", start_method={method!r}) as one:
            print(one.run(n=100))
        print("ended")
"""


@pytest.mark.parametrize(
    ("sign", "method"),
    [("SIGINT", "spawn"), ("SIGINT", "forkserver"), ("SIGKILL", "spawn"), ("SIGKILL", "fork")],
)
def test_the_process_of_a_runner_is_ended(sign: str, method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    folder = str(Path(__file__).parent)
    script.write_text(textwrap.dedent(_SCRIPT.format(folder=folder, method=method)))
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: list(tmp_path.glob("pid-*")), "the call")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        if sign == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            process.kill()
        out, _ = process.communicate(timeout=LIMIT_S)
        if sign == "SIGINT":
            # NOOB's run gives what there is when it is interrupted.
            printed, last, _ = out.split("\n")
            assert printed in {"None", "[0]", "[0, 10]"}
            assert last == "ended"
            assert process.returncode == 0
        until(lambda: not any(is_alive(child) for child in family), "the end of its processes")
    finally:
        process.kill()
        for child in family:
            if is_alive(child):
                child.kill()
        process.wait()


def test_a_value_that_takes_too_long_to_pickle_is_an_error() -> None:
    with (
        remote(chain("heavy"), call_timeout=0.3) as one,
        pytest.raises(PoisonedCallError, match="'a'"),
    ):
        one.process()
