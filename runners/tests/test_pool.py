"""The pool of workers: what it runs and what it answers."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from noob.event import MetaSignal
from noob.node.base import WrapFuncNode
from noob.node.spec import NodeSpecification

from noob_runners.errors import ExecutorError, UnpicklableError
from noob_runners.executor import NOT_RUN, Call
from noob_runners.pool import Parcel, WorkerPool

sys.path.append(str(Path(__file__).parent))
import pool_functions as F  # noqa: N812 (workers import it by this name)
from pool_functions import EPOCH, class_node, clean_pools, gather, one, ready, recipe, until

pytestmark = pytest.mark.timeout(180)

ADD, NAMED, PAIR, SAME, SUM, FAIL = range(6)
RECIPES = {
    ADD: recipe(F.add, 100, (0, 1)),
    NAMED: recipe(F.named, 101, (0,), keyword=(("b", 1),), epoch_slot="epoch"),
    PAIR: recipe(F.pair, 102, (100,), signals=("left", "right")),
    SAME: recipe(F.same, 104, (103,)),
    SUM: recipe(F.add, 105, (102, 104)),
    FAIL: recipe(F.fail, 106, (0,)),
}


@pytest.fixture
def start():
    with clean_pools() as begin:
        yield begin


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_calls_on_every_start_method(start, method):
    pool = start(RECIPES, start_method=method)
    pool.submit([Call(ticket, (ADD,), {0: ticket, 1: 1}, EPOCH) for ticket in range(200)])
    results = gather(pool, 200)
    for ticket, result in results.items():
        assert list(result.values) == [ticket + 1]
        begun, took = result.clock
        assert begun > 0
        assert took > 0
        assert result.place in (0, 1)
        assert result.overhead > 0
        assert result.nbytes > 0
        assert result.error is None
    counts = ready(pool).workers()
    assert sum(count.calls for count in counts) == 200
    assert sum(count.busy_ns for count in counts) == sum(r.clock[1] for r in results.values())
    pool.stop()
    assert sum(count.calls for count in pool.workers()) == 200
    assert all(count.idle_ns > 0 for count in pool.workers())


def test_ten_thousand_small_calls(start):
    pool = start(recipe(F.noop, 100))
    pool.submit((ticket, (0,), {0: ticket}, EPOCH) for ticket in range(5_000))
    pool.submit((ticket, (0,), {0: ticket}, EPOCH) for ticket in range(5_000, 10_000))
    results = gather(pool, 10_000)
    assert all(list(result.values) == [None] for result in results.values())
    assert pool.wait(0.0) == []


def test_arguments_by_position_by_name_and_the_epoch(start):
    pool = start(RECIPES)
    assert list(one(pool, NAMED, {0: 1, 1: 2}).values) == [(1, 2, EPOCH)]
    assert list(one(pool, NAMED, {1: 2}).values) == [(None, 2, EPOCH)]
    assert list(one(pool, NAMED, {}).values) == [(None, None, EPOCH)]
    assert list(one(pool, ADD, {1: 5}).values) == [5]


def test_a_chain_runs_in_one_place_as_far_as_its_inputs_are_there(start):
    pool = start(RECIPES)
    chain = (ADD, PAIR, SAME, SUM)
    result = one(pool, chain, {0: 1, 1: 2})
    assert list(result.values) == [3, (3, 4), 4, 7]
    assert len(result.clock) == 8
    assert all(result.clock)
    result = one(pool, (ADD, SAME, PAIR), {0: 1, 1: 2})
    assert list(result.values) == [3, NOT_RUN, (3, 4)]
    assert result.values[1] is NOT_RUN
    assert list(result.clock[2:4]) == [0, 0]


def test_what_is_no_plain_value_is_not_passed_along_a_chain(start):
    pool = start(
        {
            0: recipe(F.no_event, 100),
            1: recipe(F.same, 101, (100,)),
            2: recipe(F.named, 102, (0,), keyword=(("b", 100),)),
        }
    )
    result = one(pool, (0, 1, 2), {0: 1})
    assert list(result.values) == [MetaSignal.NoEvent, NOT_RUN, NOT_RUN]
    assert result.values[0] is MetaSignal.NoEvent


def test_an_exception_ends_its_call_only(start):
    pool = start({**RECIPES, 7: recipe(F.fail_with_cause, 107), 8: recipe(F.leave, 108)})
    pool.submit(
        [
            (0, (ADD, FAIL, SAME), {0: 1, 1: 2}, EPOCH),
            (1, (7,), {0: 1}, EPOCH),
            (2, (8,), {0: 1}, EPOCH),
            (3, (ADD,), {0: 1, 1: 2}, EPOCH),
            (4, (FAIL,), {0: 4}, EPOCH),
        ]
    )
    results = gather(pool, 5)
    assert list(results[0].values) == [3]
    assert len(results[0].clock) == 2
    for ticket, value in ((0, 1), (4, 4)):
        error = results[ticket].error
        assert type(error) is F.Odd
        assert (str(error), error.value) == (f"odd {value}", value)
        text = str(error.__cause__)
        assert "in fail" in text
        assert "noob_runners" not in text
    assert type(results[1].error) is ValueError
    assert "KeyError: 'the first'" in str(results[1].error.__cause__)
    assert type(results[2].error) is SystemExit
    assert results[2].error.code == 3
    assert list(results[3].values) == [3]


def test_functions_that_cannot_be_pickled_are_refused(start):
    pool = WorkerPool(1, start_method="forkserver")
    nested = WrapFuncNode(id="nested", fn=lambda: 1, spec=None)
    refused = pool.start(
        {
            0: RECIPES[ADD],
            1: recipe(lambda: 1, 101),
            2: recipe(threading.Lock(), 102),
            3: recipe(nested, 103, stateful=True),
        }
    )
    try:
        assert set(refused) == {1, 2, 3}
        for error in refused.values():
            assert isinstance(error, UnpicklableError)
        assert "'<lambda>'" in str(refused[1])
        assert "function" in str(refused[1])
        assert "_thread.lock" in str(refused[2])
        assert "'nested'" in str(refused[3])
        assert list(one(pool, ADD, {0: 1, 1: 1}).values) == [2]
    finally:
        pool.stop()


def test_a_function_that_workers_cannot_import_fails_its_calls_with_its_name(start, monkeypatch):
    def gone(value):
        return value

    gone.__qualname__ = "gone"
    monkeypatch.setattr(F, "gone", gone, raising=False)
    gone.__module__ = F.__name__
    pool = start({ADD: RECIPES[ADD], 1: recipe(gone, 101)})
    assert list(one(pool, ADD, {0: 1, 1: 1}).values) == [2]
    error = one(pool, 1, {0: 1}).error
    assert isinstance(error, UnpicklableError)
    assert "'gone'" in str(error)


def test_values_that_cannot_be_pickled_are_named_and_others_go_on(start):
    pool = start(
        {
            **RECIPES,
            7: recipe(F.lock, 107),
            8: recipe(F.pair_with_lock, 108, (0,), signals=("a", "b")),
        }
    )
    lock = threading.Lock()
    pool.submit(
        [
            (0, (ADD,), {0: 1, 1: 1}, EPOCH),
            (1, (PAIR,), {100: lock}, EPOCH),
            (2, (NAMED,), {0: 1, 1: lock}, EPOCH),
            (3, (7,), {0: 1}, EPOCH),
            (4, (8,), {0: 1}, EPOCH),
            (5, (ADD,), {0: 2, 1: 1}, EPOCH),
        ]
    )
    results = gather(pool, 6)
    assert [list(results[ticket].values) for ticket in (0, 5)] == [[2], [3]]
    for ticket, words in {
        1: ("argument 0", "'pair'", "add.value", "_thread.lock"),
        2: ("argument 'b'", "'named'", "_thread.lock"),
        3: ("returned", "'lock'", "lock.value", "_thread.lock"),
        4: ("returned", "'pair_with_lock'", "pair_with_lock.b", "_thread.lock"),
    }.items():
        error = results[ticket].error
        assert isinstance(error, UnpicklableError), ticket
        for word in words:
            assert word in str(error)
        assert not results[ticket].values


def test_values_that_cannot_be_unpickled_are_named_and_workers_live_on(start):
    pool = start(
        {
            0: recipe(F.pid, 100),
            1: recipe(F.unreadable, 101),
            2: recipe(F.named, 102, (101,)),
        },
        workers=1,
    )
    before = one(pool, 0, {0: 1}).values
    pool.submit(
        [
            (0, (0,), {0: 1}, EPOCH),
            (1, (2,), {101: F.Unreadable()}, EPOCH),
            (2, (1,), {0: 1}, EPOCH),
            (3, (0,), {0: 1}, EPOCH),
        ]
    )
    results = gather(pool, 4)
    assert [list(results[ticket].values) for ticket in (0, 3)] == [list(before)] * 2
    for ticket, words in {
        1: ("argument 0", "'named'", "unreadable.value", "not in this process"),
        2: ("returned", "'unreadable'", "unreadable.value", "not in this process"),
    }.items():
        error = results[ticket].error
        assert isinstance(error, UnpicklableError)
        for word in words:
            assert word in str(error)


# Stateful steps


def test_stateful_nodes_live_in_one_worker_each_and_keep_the_order(start, tmp_path):
    logs = [str(tmp_path / name) for name in ("a", "b")]
    pool = start(
        {
            step: recipe(class_node(F.Summing, f"s{step}", log=log), 100 + step, stateful=True)
            for step, log in enumerate(logs)
        }
    )
    calls = [(ticket, (ticket % 2,), {0: ticket}, EPOCH) for ticket in range(400)]
    pool.submit(calls[:100])
    pool.submit(calls[100:])
    results = gather(pool, 400)
    pids = []
    for step in (0, 1):
        own = [results[ticket].values[0] for ticket in range(step, 400, 2)]
        sums = np.cumsum(range(step, 400, 2)).tolist()
        assert [total for total, _ in own] == sums
        assert len({pid for _, pid in own}) == 1
        pids.append(own[0][1])
    assert pids[0] != pids[1]
    pool.stop()
    assert [Path(log).read_text() for log in logs] == ["deinit 39800\n", "deinit 40000\n"]


def test_a_generator_lives_in_a_worker(start):
    spec = NodeSpecification(id="count", type="pool_functions.count_from")
    node = WrapFuncNode(id="count", fn=F.count_from, params={"start": 5}, spec=spec)
    pool = start(recipe(node, 100, (), stateful=True))
    pool.submit([(ticket, (0,), {}, EPOCH) for ticket in range(10)])
    results = gather(pool, 10)
    assert [results[ticket].values[0] for ticket in range(10)] == list(range(5, 15))


# Work is shared


def test_calls_behind_a_slow_one_are_run_by_others(start):
    pool = start({0: recipe(F.sleep, 100), 1: recipe(F.pid, 101)})
    ready(pool)
    # Nothing is known of their times, so half of them wait behind the slow one.
    pool.submit([(0, (0,), {0: 600}, EPOCH)])
    pool.submit([(ticket, (1,), {0: 0}, EPOCH) for ticket in range(1, 100)])
    results = gather(pool, 99)
    assert 0 not in results


def test_a_worker_that_is_ready_late_gets_its_share(start):
    pool = start(recipe(F.slow_pid, 100))
    pool.submit([(ticket, (0,), {0: 0.02}, EPOCH) for ticket in range(300)])
    results = gather(pool, 300)
    assert len({result.values[0] for result in results.values()}) == 2


def test_results_do_not_wait_for_a_slow_call_behind_them(start):
    pool = start({0: recipe(F.sleep, 100), 1: recipe(F.pid, 101)})
    ready(pool)
    pool.submit([(0, (1,), {0: 0}, EPOCH), (1, (0,), {0: 600}, EPOCH), (2, (1,), {0: 0}, EPOCH)])
    assert set(gather(pool, 2)) == {0, 2}


# Large values


def test_megabytes_both_ways_at_once_in_band(start):
    pool = start(recipe(F.same, 100))
    pool.submit([(ticket, (0,), {0: f"{ticket}" * 1_000_000}, EPOCH) for ticket in range(10)])
    results = gather(pool, 10)
    assert all(results[ticket].values[0] == f"{ticket}" * 1_000_000 for ticket in range(10))


@pytest.fixture
def arrays(start):
    return start(
        {
            0: recipe(F.ones, 100),
            1: recipe(F.add_one_in_place, 101),
            2: recipe(F.total, 102),
            3: recipe(F.same, 103),
            4: recipe(F.many_bytes, 104),
            5: recipe(F.pair, 105, signals=("left", "right")),
            6: recipe(F.address, 107),
            7: recipe(F.pid, 108),
            8: recipe(F.no_more_files, 109),
            9: recipe(F.die, 110),
        }
    )


def test_a_large_value_comes_as_a_parcel_and_can_be_opened(arrays):
    result = one(arrays, 0, {0: 1_000_000})
    (parcel,) = result.values
    assert type(parcel) is Parcel
    assert parcel.nbytes > 8_000_000
    assert result.nbytes > 8_000_000
    value = parcel.open()
    assert value.sum() == 1_000_000
    assert value.flags.writeable
    small = one(arrays, 0, {0: 10}).values[0]
    assert small.tolist() == [1.0] * 10


def test_plain_bytes_come_as_a_parcel_too(arrays):
    (parcel,) = one(arrays, 4, {0: 2_000_000}).values
    assert parcel.open() == b"x" * 2_000_000
    (parcel,) = one(arrays, 3, {0: b"y" * 2_000_000}).values
    assert parcel.open() == b"y" * 2_000_000


def test_a_value_for_several_signals_comes_opened(arrays):
    (value,) = one(arrays, 5, {0: np.ones(100_000)}).values
    assert type(value) is tuple
    assert [part.sum() for part in value] == [100_000, 200_000]


def test_a_parcel_goes_on_unopened_from_worker_to_worker(arrays):
    ready(arrays)
    (parcel,) = one(arrays, 0, {0: 100_000}).values
    places = set()
    end = time.monotonic() + F.LIMIT_S
    while len(places) < 2:
        assert time.monotonic() < end
        arrays.submit([(ticket, (3,), {0: parcel}, EPOCH) for ticket in range(4)])
        results = gather(arrays, 4)
        places |= {result.place for result in results.values()}
        parcel = results[3].values[0]
        assert type(parcel) is Parcel
    assert parcel.sealed() is not None
    assert parcel.open().sum() == 100_000


def test_what_a_node_changes_in_place_changes_for_nobody_else(arrays):
    ready(arrays)
    array = np.ones(100_000)
    (parcel,) = one(arrays, 0, {0: 100_000}).values
    for value in (array, parcel):
        # (One call after the other, as calls of one message may share their arguments.)
        for _ in range(4):
            assert list(one(arrays, 1, {0: value}).values) == [200_000.0]
        assert list(one(arrays, 2, {0: value}).values) == [100_000.0]
    assert array.sum() == 100_000


def test_a_parcel_that_was_opened_and_changed_goes_on_as_it_is_now(arrays):
    (parcel,) = one(arrays, 0, {0: 100_000}).values
    parcel.open()[0] = 5
    assert list(one(arrays, 2, {0: parcel}).values) == [100_004.0]


def test_arguments_are_aligned_and_as_writable_as_they_were(arrays):
    array = np.ones(100_000)
    address, writable = one(arrays, 6, {0: array}).values[0]
    assert address % 64 == 0
    assert writable
    array.flags.writeable = False
    assert one(arrays, 6, {0: array}).values[0][1] is False


def test_a_parcel_inside_another_value_travels_as_what_is_in_it(arrays):
    (parcel,) = one(arrays, 0, {0: 100_000}).values
    (value,) = one(arrays, 3, {0: [parcel, 4]}).values
    value = value.open() if type(value) is Parcel else value
    assert value[0].sum() == 100_000


def test_values_stay_good_after_stop_and_after_the_death_of_who_made_them(arrays):
    (opened,) = one(arrays, 0, {0: 100_000}).values
    view = opened.open()[::2]
    (sealed,) = one(arrays, 0, {0: 200_000}).values
    (passed,) = one(arrays, 0, {0: 300_000}).values
    for ticket in range(2):  # kill the one that made them; here that is all
        for pid in {one(arrays, 7, {0: 0}).values[0] for _ in range(10)}:
            os.kill(pid, 9)
            until(lambda pid=pid: not psutil.pid_exists(pid), arrays)
        assert list(one(arrays, 2, {0: passed}).values) == [300_000.0], ticket
    arrays.stop()
    assert view.sum() == 50_000
    assert sealed.open().sum() == 200_000
    assert passed.open().sum() == 300_000


def test_memory_does_not_grow_with_use(arrays):
    ready(arrays)

    def taken():
        members = [psutil.Process(pid) for pid in pids]
        return sum(p.memory_info().shared for p in (*members, psutil.Process()))

    pids = set()
    while len(pids) < 2:
        arrays.submit([(ticket, (7,), {0: 0}, EPOCH) for ticket in range(2)])
        pids |= {result.values[0] for result in gather(arrays, 2).values()}

    def use(times):
        for _ in range(times):
            arrays.submit([(ticket, (3,), {0: np.ones(500_000)}, EPOCH) for ticket in range(4)])
            for result in gather(arrays, 4).values():
                assert result.values[0].open().sum() == 500_000

    use(10)
    before = taken()
    use(40)
    assert taken() - before < 40 << 20  # without returning any it would be 1.2 GB


def test_without_shared_memory_values_go_in_band(arrays, monkeypatch):
    asked = []

    def full(*arguments):
        asked.append(arguments)
        raise OSError(28, "full")

    monkeypatch.setattr("noob_runners.pool.dispatch.BufferPool", full)
    assert list(one(arrays, 2, {0: np.ones(100_000)}).values) == [100_000.0]
    assert asked


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the test counts files in /proc")
def test_a_worker_that_cannot_open_any_more_files_gets_values_in_band(arrays):
    ready(arrays)
    full = one(arrays, 8, {0: 0}).place
    made = None
    end = time.monotonic() + F.LIMIT_S
    while made is None:  # by the other one
        assert time.monotonic() < end
        arrays.submit([(ticket, (0,), {0: 100_000}, EPOCH) for ticket in range(4)])
        for result in gather(arrays, 4).values():
            if result.place != full:
                made = result.values[0]
    places = set()
    while full not in places:
        assert time.monotonic() < end
        arrays.submit([(ticket, (2,), {0: made}, EPOCH) for ticket in range(8)])
        for result in gather(arrays, 8).values():
            assert list(result.values) == [100_000.0]
            places.add(result.place)


# Forget, stop, start again


def test_forgotten_calls_are_never_heard_of_again(start):
    pool = start({0: recipe(F.slow_pid, 100), 1: recipe(F.same, 101)})
    ready(pool)
    for value in range(5):
        pool.submit([(ticket, (0,), {0: 0.05}, EPOCH) for ticket in range(40)])
        pool.wait(0.06)
        pool.forget()
        # The same tickets, at once.
        pool.submit([(ticket, (1,), {0: value}, EPOCH) for ticket in range(40)])
        results = gather(pool, 40)
        assert all(list(result.values) == [value] for result in results.values())
    pool.forget()
    assert pool.wait(0.0) == []


def test_a_worker_in_a_forgotten_call_is_busy_and_others_work(start):
    pool = start({0: recipe(F.sleep, 100), 1: recipe(F.same, 101)})
    ready(pool)
    pool.submit([(0, (0,), {0: 600}, EPOCH)])
    pool.wait(0.2)
    pool.forget()
    pool.submit([(ticket, (1,), {0: ticket}, EPOCH) for ticket in range(40)])
    assert len(gather(pool, 40)) == 40


def test_stop_at_any_time_and_start_again(start):
    pool = WorkerPool(2, start_method="forkserver")
    pool.stop()
    pool.forget()
    with pytest.raises(ExecutorError, match="not started"):
        pool.submit([])
    with pytest.raises(ExecutorError, match="not started"):
        pool.wait(0)
    pool = start(RECIPES)
    pool.stop()  # before any is ready
    for _ in range(2):
        pool.start(RECIPES)
        assert list(one(pool, ADD, {0: 1, 1: 1}).values) == [2]
        pool.submit([(ticket, (ADD,), {0: 1, 1: 1}, EPOCH) for ticket in range(100)])
        pool.stop()
    assert pool.capacity == 0


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="max_workers must be at least 1, not 0"):
        WorkerPool(0)
    with pytest.raises(ValueError, match="call_timeout must be more than 0 seconds, not -1"):
        WorkerPool(1, call_timeout=-1)
    with pytest.raises(ValueError, match=r"no start method 'x' here; one of .*spawn"):
        WorkerPool(1, start_method="x")
