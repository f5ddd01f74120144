"""What a run has cost: counting, its invariants, and the table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_runners.executor import NOT_RUN, Result
from noob_runners.stats import Ledger, NodeStats, RunnerStats, WorkerStats

LONG = 1_000_000_000


def result(values, clock, overhead=0, nbytes=0, error=None):
    return Result(0, values, clock, 0, overhead, nbytes, error)


def worker(calls, busy_ns, idle_ns):
    return SimpleNamespace(calls=calls, busy_ns=busy_ns, idle_ns=idle_ns)


def test_calls_are_counted_where_they_ran():
    ledger = Ledger()
    ledger.local("a", 3, 6 * LONG)
    ledger.result(result([1], [7, 2 * LONG], 5 * LONG, 11), ["a"])
    ledger.result(result(["x"], [7, LONG], LONG, 4), ["b"])
    assert ledger.stats().nodes == {
        "a": NodeStats(4, 1, 8.0, 5.0, 11),
        "b": NodeStats(1, 1, 1.0, 1.0, 4),
    }


def test_a_chain_shares_its_way_among_the_steps_that_ran():
    ledger = Ledger()
    clock = [7, LONG, 0, 0, 9, 3 * LONG]
    ledger.result(result([1, NOT_RUN, 2], clock, 5, 11), ["a", "b", "c", "d"])
    assert ledger.stats().nodes == {
        "a": NodeStats(1, 1, 1.0, 3e-9, 6),
        "c": NodeStats(1, 1, 3.0, 2e-9, 5),
    }


@pytest.mark.parametrize("clock", [[], [0, 0]])
def test_the_way_of_a_call_that_failed_is_the_first_steps(clock):
    ledger = Ledger()
    values = [NOT_RUN] * (len(clock) // 2)
    ledger.result(result(values, clock, LONG, 7, ValueError()), ["a", "b"])
    assert ledger.stats().nodes == {"a": NodeStats(0, 0, 0.0, 1.0, 7)}


def test_values_are_not_looked_at():
    class Touchy:
        def __eq__(self, _other):
            raise AssertionError

        __hash__ = None

    ledger = Ledger()
    ledger.result(result([Touchy()] * 2, [7, 1, 8, 1]), ["a", "b"])
    assert [node.calls for node in ledger.stats().nodes.values()] == [1, 1]


STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 99)), min_size=1)


@given(st.lists(st.tuples(STEPS, st.integers(0, 10**6), st.integers(0, 10**6))))
def test_nothing_is_lost_or_counted_twice(calls):
    ledger = Ledger()
    ran = took = 0
    for steps, overhead, nbytes in calls:
        clock = [number for _, run, ns in steps for number in ((5, ns) if run else (0, 0))]
        ledger.result(
            result([0] * len(steps), clock, overhead, nbytes), [name for name, _, _ in steps]
        )
        ran += sum(run for _, run, _ in steps)
        took += sum(ns for _, run, ns in steps if run)
    nodes = ledger.stats().nodes.values()
    assert sum(node.calls for node in nodes) == sum(node.remote_calls for node in nodes) == ran
    assert sum(node.seconds for node in nodes) * 1e9 == pytest.approx(took)
    assert sum(node.transport_s for node in nodes) * 1e9 == pytest.approx(
        sum(overhead for _, overhead, _ in calls)
    )
    assert sum(node.nbytes for node in nodes) == sum(nbytes for _, _, nbytes in calls)


def test_an_answer_stays_as_it_is():
    ledger = Ledger()
    ledger.local("a", 1, LONG)
    ledger.epoch()
    before = ledger.stats([worker(3, LONG, 3 * LONG)])
    ledger.local("a", 1, LONG)
    ledger.local("b", 1, LONG)
    ledger.epoch()
    assert (before.epochs, before.nodes) == (1, {"a": NodeStats(1, 0, 1.0, 0.0, 0)})
    assert before.workers == (WorkerStats(3, 1.0, 3.0),)
    after = ledger.stats()
    assert (after.epochs, len(after.nodes)) == (2, 2)
    assert 0 <= before.seconds <= after.seconds
    with pytest.raises(AttributeError):
        before.epochs = 7


def test_means_and_utilisation():
    assert NodeStats(4, 0, 2.0, 0.0, 0).mean_s == 0.5
    assert NodeStats(0, 0, 0.0, 1.0, 0).mean_s == 0
    assert WorkerStats(1, 1.0, 3.0).utilisation == 0.25
    assert WorkerStats(0, 0.0, 0.0).utilisation == 0


def test_the_table_shows_what_took_most_time():
    nodes = {f"n{at}": NodeStats(2, 1, at * 0.5, 1e-3, 1_000) for at in range(25)}
    stats = RunnerStats(3, 12.5, nodes, (WorkerStats(1_250, 3.0, 1.0), WorkerStats(0, 0.0, 0.0)))
    lines = str(stats).splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert lines[0] == "3 epochs in 12.5 s"
    assert words[2] == "node calls remote in node a call transport bytes"
    assert [line.split()[0] for line in lines[3:23]] == [f"n{at}" for at in range(24, 4, -1)]
    assert words[3] == "n24 2 1 12.0 s 6.0 s 1.0 ms 1,000"
    assert words[23] == "(5 more) 10 5 5.0 s 500.0 ms 5.0 ms 5,000"
    assert words[24] == "(all) 50 25 150.0 s 3.0 s 25.0 ms 25,000"
    assert words[26] == "worker calls busy idle utilisation"
    assert words[27] == "0 1,250 3.0 s 1.0 s 75%"
    assert words[28] == "1 0 0 0 0%"
    assert len({len(line) for line in lines[2:25]}) == 1


def test_a_run_without_nodes_and_workers_has_a_table_too():
    assert str(RunnerStats(0, 5e-7, {}, ())).splitlines() == [
        "0 epochs in 500 ns",
        "",
        "node   calls  remote  in node  a call  transport  bytes",
        "(all)      0       0        0       0          0      0",
    ]
