"""The pool of workers: what happens when something dies."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from noob_runners.errors import (
    CallTimeoutError,
    ExecutorError,
    PoisonedCallError,
    WorkerLostError,
    WorkerStartError,
)
from noob_runners.pool import WorkerPool

sys.path.append(str(Path(__file__).parent))
import pool_functions as F  # noqa: N812 (workers import it by this name)
from pool_functions import (
    EPOCH,
    class_node,
    clean_pools,
    gather,
    one,
    ready,
    recipe,
    until,
)

pytestmark = pytest.mark.timeout(180)

PID, SLEEP, DIE, SAME, NOTE = range(5)
RECIPES = {
    PID: recipe(F.pid, 100),
    SLEEP: recipe(F.sleep, 101),
    DIE: recipe(F.die, 102),
    SAME: recipe(F.same, 103),
    NOTE: recipe(F.note_and_sleep, 104, (0, 1, 2)),
}


@pytest.fixture
def start():
    with clean_pools() as begin:
        yield begin


def _lines(path) -> list[str]:
    return Path(path).read_text().split("\n")[:-1] if Path(path).exists() else []


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _pids(pool, count=2):
    ready(pool, count)
    pids = {}
    end = time.monotonic() + F.LIMIT_S
    while len(pids) < count:
        assert time.monotonic() < end
        pool.submit([(ticket, (PID,), {0: 0}, EPOCH) for ticket in range(2 * count)])
        pids |= {result.place: result.values[0] for result in gather(pool, 2 * count).values()}
    return [pids[place] for place in range(count)]


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_worker_that_is_killed_is_replaced(start, method):
    pool = start(RECIPES, start_method=method)
    first, second = _pids(pool)
    os.kill(first, signal.SIGKILL)
    until(lambda: _is_gone(first), pool)
    fresh, kept = _pids(pool)
    assert kept == second
    assert fresh != first


def test_calls_of_a_killed_worker_run_elsewhere_and_each_has_one_result(start, tmp_path):
    pool = start(RECIPES)
    first, _ = _pids(pool)
    log = str(tmp_path / "log")
    pool.submit([(n, (NOTE,), {0: log, 1: str(n), 2: 0.02}, EPOCH) for n in range(100)])
    until(lambda: len(_lines(log)) >= 10)
    os.kill(first, signal.SIGKILL)
    results = gather(pool, 100)
    assert all(result.error is None for result in results.values())
    assert pool.wait(0.0) == []
    done = _lines(log)
    assert set(done) == set(map(str, range(100)))
    assert any(result.values[0] == first for result in results.values())


def test_what_killed_workers_had_on_loan_is_used_again(start):
    pool = start(RECIPES)
    ready(pool)
    assert isinstance(one(pool, DIE, {0: np.ones(1_000_000)}).error, PoisonedCallError)
    gc.collect()
    buffers = pool._feeder.dispatcher._own_buffers()
    stats = buffers.stats()
    assert stats["buffers"] == stats["live"] == 0
    assert stats["spare"] >= 8_000_000
    assert one(pool, SAME, {0: np.ones(1_000_000)}).values[0].open().sum() == 1_000_000


def test_a_call_that_kills_one_worker_is_run_again(start, tmp_path):
    pool = start({**RECIPES, 5: recipe(F.die_if_absent, 105)})
    assert one(pool, 5, {0: str(tmp_path / "file")}).error is None


def test_a_call_that_has_killed_three_workers_is_given_up_and_no_other(start):
    pool = start(RECIPES)
    calls = [(n, (DIE if n == 20 else PID,), {0: n}, EPOCH) for n in range(100)]
    pool.submit(calls)
    results = gather(pool, 100)
    error = results.pop(20).error
    assert isinstance(error, PoisonedCallError)
    assert "3 workers have died in node 'die', epoch 0" in str(error)
    assert "exit code -9" in str(error)
    assert all(result.error is None for result in results.values())
    # Another call with that ticket begins anew.
    pool.submit(calls[20:21])
    assert isinstance(gather(pool, 1)[20].error, PoisonedCallError)


@pytest.mark.parametrize("function", [F.sleep, F.busy])
def test_a_call_that_takes_too_long_is_ended_and_no_other(start, function):
    pool = start({**RECIPES, 5: recipe(function, 105)}, call_timeout=1.0)
    pool.submit([(n, (5 if n == 3 else PID,), {0: 600}, EPOCH) for n in range(40)])
    results = gather(pool, 40)
    error = results.pop(3).error
    assert isinstance(error, CallTimeoutError)
    assert isinstance(error, TimeoutError)
    assert f"node {function.__name__!r}, epoch 0, took longer than 1 s" in str(error)
    assert all(result.error is None for result in results.values())
    ready(pool)


def test_the_step_of_a_chain_that_takes_too_long_is_named(start):
    pool = start({0: recipe(F.same, 100), 1: recipe(F.sleep, 101, (100,))}, call_timeout=1.0)
    assert "node 'sleep'" in str(one(pool, (0, 1), {0: 600}).error)


def test_a_worker_that_was_stopped_counts_as_one_that_takes_too_long(start, tmp_path):
    pool = start(RECIPES, workers=1, call_timeout=1.5)
    (pid,) = _pids(pool, 1)
    os.kill(pid, signal.SIGSTOP)  # between calls: they run elsewhere
    fresh = one(pool, PID, {0: 0}).values[0]
    assert fresh != pid
    log = str(tmp_path / "log")
    pool.submit([(0, (NOTE,), {0: log, 1: "begun", 2: 1.0}, EPOCH)])
    until(lambda: _lines(log) == ["begun"])
    os.kill(fresh, signal.SIGSTOP)  # in the middle of a call
    assert isinstance(gather(pool, 1)[0].error, CallTimeoutError)


def test_time_in_which_nobody_listens_does_not_count(start):
    pool = start(RECIPES, call_timeout=0.5)
    pids = set(_pids(pool))
    pool.submit([(n, (SAME,), {0: "x" * 200_000}, EPOCH) for n in range(40)])
    time.sleep(1.0)  # they are long ready, and wait to be taken
    gather(pool, 40)
    assert set(_pids(pool)) == pids


def test_the_state_of_a_killed_worker_is_lost_until_the_next_start(start):
    recipes = {
        **RECIPES,
        5: recipe(class_node(F.Dying, "dying"), 105, stateful=True),
        6: recipe(class_node(F.Summing, "summing"), 106, stateful=True),
    }
    pool = start(recipes)
    assert one(pool, 5, {0: "a"}).values[0] == "a"
    _, survivor = one(pool, 6, {0: 1}).values[0]
    words = ["a", "die", "b", "c"]
    pool.submit([(n, (5,), {0: word}, EPOCH) for n, word in enumerate(words)])
    pool.submit([(n, (PID,), {0: 0}, EPOCH) for n in range(10, 50)])
    results = gather(pool, 44)
    assert all(results[n].error is None for n in range(10, 50))
    for n in (1, 2, 3):
        assert isinstance(results[n].error, WorkerLostError)
        assert "'dying'" in str(results[n].error)
    for _ in range(2):  # and forgetting does not bring it back
        assert isinstance(one(pool, 5, {0: "d"}).error, WorkerLostError)
        pool.forget()
    assert one(pool, 6, {0: 2}).values[0] == (3, survivor)
    pool.stop()
    pool.start(recipes)
    assert one(pool, 5, {0: "e"}).values[0] == "e"


def test_a_stateful_call_that_takes_too_long_takes_the_state_with_it(start):
    node = class_node(F.Dying, "dying")
    pool = start(recipe(node, 105, stateful=True), call_timeout=1.0)
    pool.submit([(n, (0,), {0: word}, EPOCH) for n, word in enumerate(["a", "sleep", "b"])])
    results = gather(pool, 3)
    assert list(results[0].values) == ["a"]
    assert isinstance(results[1].error, CallTimeoutError)
    assert isinstance(results[2].error, WorkerLostError)


def test_workers_that_die_before_they_are_ready(start):
    pool = start(recipe(F.Deadly(), 100))
    pool.submit([(0, (0,), {0: 1}, EPOCH)])
    with pytest.raises(WorkerStartError, match=r"3 workers in a row .* exit code 7"):
        gather(pool, 1)
    pool.stop()
    assert pool.start(RECIPES) == {}
    assert one(pool, SAME, {0: 5}).values[0] == 5


def test_a_child_of_a_worker_does_not_hide_its_death(start, tmp_path):
    pool = start({**RECIPES, 5: recipe(F.fork_and_tell, 105)})
    log = str(tmp_path / "log")
    pool.submit([(0, (5,), {0: log}, EPOCH)])
    children = []
    try:
        for times in (1, 2, 3):
            until(lambda times=times: len(_lines(log)) == times, pool)
            pid, child = map(int, _lines(log)[-1].split())
            children.append(child)
            os.kill(pid, signal.SIGKILL)
        assert isinstance(gather(pool, 1)[0].error, PoisonedCallError)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_stop_does_not_wait_for_calls(start):
    pool = start(RECIPES)
    pids = _pids(pool)
    pool.submit([(n, (SLEEP,), {0: 600}, EPOCH) for n in range(10)])
    pool.wait(0.2)
    pool.stop()
    assert all(map(_is_gone, pids))


def test_stop_that_is_interrupted_leaves_nothing_behind(start, monkeypatch):
    pool = start(RECIPES)
    pids = _pids(pool)
    pool.submit([(n, (SLEEP,), {0: 600}, EPOCH) for n in range(10)])

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool._selector, "select", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.stop()
    assert all(map(_is_gone, pids))
    pool.start(RECIPES)
    assert one(pool, SAME, {0: 5}).values[0] == 5


def test_a_pool_that_nobody_has_any_more_ends_its_workers():
    pool = WorkerPool(2, start_method="forkserver")
    pool.start(RECIPES)
    pids = _pids(pool)
    del pool
    gc.collect()
    assert all(map(_is_gone, pids))


def test_a_forked_copy_of_this_process_does_not_touch_the_workers(start):
    pool = start(RECIPES)
    pids = _pids(pool)
    pool.submit([(n, (SLEEP,), {0: 0.01}, EPOCH) for n in range(40)])
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            try:
                pool.submit([(100, (PID,), {0: 0}, EPOCH)])
            except ExecutorError:
                pool.forget()
                pool.stop()
                del pool
                gc.collect()
                code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(gather(pool, 40)) == 40
    assert _pids(pool) == pids


# Scripts

_HEAD = """
import os, signal, sys, time
sys.path.append({tests!r})
import pool_functions as F
from noob_runners.pool import WorkerPool

def main():
    pool = WorkerPool(2, start_method={method!r})
    pool.start({{0: F.recipe(F.pid, 100), 1: F.recipe({call}, 101, {slots})}})
    {body}

"""


def _script(tmp_path, body, *, method="spawn", call="F.busy", slots=(0,), tail=None):
    path = tmp_path / "script.py"
    head = _HEAD.format(
        tests=str(Path(__file__).parent), method=method, call=call, slots=slots, body=body
    )
    path.write_text(head + (tail or 'if __name__ == "__main__":\n    main()\n'))
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def _family(process):
    """Ends it and all that it has started."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=F.LIMIT_S)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_that_does_not_protect_its_beginning_is_told_so(tmp_path, method):
    with _family(_script(tmp_path, "F.gather(pool, 1)", method=method, tail="main()")) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "WorkerStartError: 3 workers in a row" in errors
    assert 'below `if __name__ == "__main__":`' in errors


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_workers_end_when_their_coordinator_is_killed(tmp_path, method):
    log = str(tmp_path / "log")
    body = f"""
    F.ready(pool)
    pool.submit([(n, (1,), {{0: {log!r}}}, F.EPOCH) for n in range(2)])
    F.gather(pool, 2)
"""
    call = "F.tell_and_be_busy"
    with _family(_script(tmp_path, body, method=method, call=call)) as process:
        until(lambda: len(_lines(log)) == 2 or process.poll() is not None)
        pids = list(map(int, _lines(log)))
        assert len(pids) == 2
        process.kill()
        process.wait(F.LIMIT_S)
        until(lambda: all(map(_is_gone, pids)))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_script_that_does_not_stop_its_pool_ends(tmp_path, method):
    body = """
    F.ready(pool)
    pool.submit([(0, (1,), {0: 600}, F.EPOCH)])
    global kept
    kept = pool
    print(sorted({F.one(pool, 0, {0: 0}).values[0] for _ in range(1)}))
"""
    with _family(_script(tmp_path, body, method=method)) as process:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        pids = [int(word) for word in output.strip("[]\n").split(",")]
        until(lambda: all(map(_is_gone, pids)))


def test_an_interrupt_from_the_keyboard_is_for_the_coordinator(tmp_path):
    log = str(tmp_path / "log")
    body = f"""
    try:
        F.ready(pool)
        pool.submit([(n, (1,), {{0: {log!r}}}, F.EPOCH) for n in range(2)])
        while True:
            pool.wait(1.0)
    except KeyboardInterrupt:
        pool.forget()
        pool.stop()
        print("stopped")
"""
    with _family(_script(tmp_path, body, call="F.tell_and_be_busy")) as process:
        until(lambda: len(_lines(log)) == 2 or process.poll() is not None)
        pids = list(map(int, _lines(log)))
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=120)
        assert output == "stopped\n"
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert all(map(_is_gone, pids))


def test_an_interrupt_while_workers_start_is_for_the_coordinator(tmp_path):
    body = """
    try:
        print("started", flush=True)
        F.ready(pool)
        time.sleep(600)
    except KeyboardInterrupt:
        pool.stop()
        print("stopped")
"""
    with _family(_script(tmp_path, body)) as process:
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=120)
        assert output == "stopped\n"
        assert "Traceback" not in errors
