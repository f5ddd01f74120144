"""Components measured beside each other: what counts, what is a row with a reason, what is left."""

from __future__ import annotations

import psutil
import pytest

from noob_perf.experiments.components import bench as benches
from noob_perf.experiments.components.bench import Bench, Findings, Options
from noob_perf.experiments.components.figures import absolute, fastest, growths, times
from noob_perf.experiments.components.scale import Scale
from noob_perf.measure.subject import Case
from noob_perf.results import Outcome, Quantity

SCALE = Scale(budget_s=0.001, least_repeats=3, most_repeats=3)
CASE = Case("thing", 30)


class Watcher:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.ended_early = []

    def stage(self, text): ...

    def planned(self, steps): ...

    def advance(self, text): ...

    def ended(self, runner, outcome, reason):
        self.ended_early.append((runner, outcome, reason))


@pytest.fixture
def bench():
    yield Bench(Options(SCALE, timeout_s=120.0), Watcher(), {"second": Quantity.BYTES})
    assert not psutil.Process().children(recursive=True)


def rows(bench):
    return {(t.implementation, t.operation): (t.outcome, t.reason) for t in bench.timings}


def test_only_what_was_checked_counts_and_the_rest_is_a_row(bench, misbehave):
    entries = [misbehave(f"{name}Component") for name in ("Good", "Wrong", "Raising", "Partial")]
    bench.measure(CASE, entries)
    found = rows(bench)
    for name in ("Good", "Wrong", "Raising", "Partial"):
        assert found[f"{name}Component", "second"] == (Outcome.SUCCESS, "")
    assert found["GoodComponent", "first"] == (Outcome.SUCCESS, "")
    assert found["WrongComponent", "first"] == (
        Outcome.FAILURE, "wrong result: the size is 31, not 30",
    )  # fmt: skip
    assert found["RaisingComponent", "first"] == (
        Outcome.FAILURE, "ZeroDivisionError: no such thing",
    )  # fmt: skip
    assert found["PartialComponent", "first"] == (Outcome.UNSUPPORTED, "it has no first")
    assert len(found) == 8
    for timing in bench.timings:
        assert (timing.case, timing.size) == ("thing", 30)
        assert timing.quantity == ("bytes" if timing.operation == "second" else "seconds")
        assert len(timing.values) == (3 if timing.outcome is Outcome.SUCCESS else 0)
        assert all(value > 0 for value in timing.values)
    assert {name for name, _, _ in bench.observer.ended_early} == {
        "WrongComponent, first", "RaisingComponent, first", "PartialComponent, first",
    }  # fmt: skip


def test_a_process_that_dies_takes_its_other_rows_with_it(bench, misbehave):
    bench.measure(CASE, [misbehave("DyingComponent"), misbehave("GoodComponent")])
    found = rows(bench)
    for operation in ("first", "second"):
        outcome, reason = found["DyingComponent", operation]
        assert outcome is Outcome.FAILURE
        assert "exit code 7" in reason
        assert found["GoodComponent", operation] == (Outcome.SUCCESS, "")


def test_what_hangs_is_ended_by_its_time_limit(misbehave):
    bench = Bench(Options(SCALE, timeout_s=1.5), Watcher(), {})
    bench.measure(CASE, [misbehave("HangingComponent")])
    assert set(rows(bench).values()) == {(Outcome.TIMEOUT, "no answer within its 1.5 s")}
    assert not psutil.Process().children(recursive=True)


def test_what_is_missing_or_cannot_bear_the_size_is_one_row_with_the_remedy(bench, misbehave):
    absent = misbehave("AbsentComponent")
    missing = misbehave("GoodComponent", requires=("no_such_module_at_all",), hint="pip get it")
    small = misbehave("RaisingComponent", max_nodes=29, limit_reason="it is slow")
    bench.measure(CASE, [absent, missing, small])
    assert rows(bench) == {
        ("AbsentComponent", ""): (Outcome.UNSUPPORTED, "there is no such component"),
        ("GoodComponent", ""): (
            Outcome.UNSUPPORTED, "not installed (no_such_module_at_all is missing): pip get it",
        ),
        ("RaisingComponent", ""): (Outcome.UNSUPPORTED, "it is slow: measured up to 29"),
    }  # fmt: skip


def test_a_cold_operation_has_a_value_from_each_of_a_few_processes(bench, misbehave, monkeypatch):
    monkeypatch.setattr(benches, "_COLD_RUNS", 2)
    bench.measure_cold(CASE, [misbehave("GoodComponent"), misbehave("AbsentComponent")])
    first, second, absent = bench.timings
    assert len(first.values) == len(second.values) == 2
    assert absent.outcome is Outcome.UNSUPPORTED


def test_an_interrupt_keeps_what_was_measured(bench, misbehave, monkeypatch):
    monkeypatch.setattr(bench.observer, "advance", interrupt, raising=False)
    with pytest.raises(KeyboardInterrupt):
        bench.measure(CASE, [misbehave("GoodComponent")])
    first, second = bench.timings
    assert len(first.values) == 1
    assert (second.outcome, second.reason) == (Outcome.FAILURE, "interrupted")


def interrupt(_text):
    raise KeyboardInterrupt


def test_what_is_not_found_says_why(make_timing):
    refused = make_timing("x", "", outcome=Outcome.UNSUPPORTED, reason="get it", values=())
    found = Findings([make_timing(), refused], SCALE, {"held": Quantity.BYTES})
    assert found.find("native", "encode", "table", 100).measured
    assert found.find("x", "encode", "table", 100).reason == "get it"
    assert found.find("native", "encode", "table", 7).reason == "this run has no table of 7"
    assert found.find("native", "held", "table", 7).quantity is Quantity.BYTES


def test_a_target_has_its_reference_beside_it(make_timing):
    native, slow = make_timing(), make_timing("slow", values=(0.01, 0.02, 0.03))
    broken = make_timing("broken", outcome=Outcome.FAILURE, reason="it fell", values=())
    target = times("x", slow, native, per=100, at_least=3.0)
    assert target.figure.estimate.value == pytest.approx(10)
    assert target.figure.met
    assert (target.reference, target.beside.value) == ("slow", pytest.approx(0.0002))
    assert times("x", slow, native, at_least=10.0).figure.met is None
    target = absolute("x", native, at_most=0.0009, beside=slow)
    assert target.figure.met is False
    assert (target.figure.estimate.value, target.beside.value) == (0.002, 0.02)
    missing = times("x", native, broken, at_least=4.0).figure
    assert (missing.estimate, missing.reason, missing.met) == (None, "broken: it fell", None)


def test_the_fastest_is_not_known_unless_all_were_measured(make_timing):
    native, slow = make_timing(), make_timing("slow", values=(0.01, 0.02, 0.03))
    broken = make_timing("broken", outcome=Outcome.FAILURE, reason="it fell", values=())
    assert fastest(slow, native) is native
    assert fastest(native, broken, slow) is broken


def test_growth_takes_three_sizes_and_is_the_exponent(make_timing):
    quadratic = [make_timing(size=n, values=(n * n * 1e-6,) * 2) for n in (10, 100, 1_000)]
    two = [make_timing("twin", size=n) for n in (10, 100)]
    held = [make_timing("x", size=n, quantity=Quantity.BYTES) for n in (10, 100, 1_000)]
    (figure,) = growths([*quadratic, *two, *held])
    assert figure.name == "native: table: encode"
    assert figure.quantity is Quantity.EXPONENT
    assert figure.estimate.value == pytest.approx(2)
