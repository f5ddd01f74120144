"""What the lab's tests share: a registry that they may change, and a result to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from noob_perf import registry
from noob_perf.results import (
    SCHEMA_VERSION,
    Answer,
    CellResult,
    ComponentAnswer,
    ComponentsResult,
    Figure,
    Headline,
    Machine,
    MemorySample,
    Outcome,
    ParallelResult,
    Quantity,
    Run,
    StockLoad,
    StockPoint,
    SuiteResult,
    Target,
    Timing,
    Verdict,
    WorkloadFacts,
)
from noob_perf.stats import Estimate

TESTS = Path(__file__).parent


@pytest.fixture
def misbehave(monkeypatch):
    """Register harnesses or components that misbehave by their class names; gone after the test."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))

    def register(name: str, **more):
        module = "misbehaving_components" if name.endswith("Component") else "misbehaving"
        entry = registry.RunnerEntry(
            name,
            f"{module}:{name}",
            "a test",
            env={"PYTHONPATH": str(TESTS), **more.pop("env", {})},
            **more,
        )
        registry.register(entry)
        return entry

    return register


def make_run(runner: str = "sync", **changes) -> Run:
    """A run with every figure, unless it is changed."""
    values = {
        "runner": runner,
        "outcome": Outcome.SUCCESS,
        "reason": "",
        "nodes": 10_000,
        "epochs": 1,
        "workers": 1,
        "native": False,
        "load_s": 0.5,
        "start_s": 0.01,
        "epoch_s": (10.1, 10.2, 10.3),
        "us_per_node": 1020.0,
        "speedup_vs_sync": 1.0,
        "validated": True,
        "peak_rss_bytes": 150 * 2**20,
    }
    return Run(**(values | changes))


MACHINE = Machine(
    system="Linux 6.1",
    architecture="x86_64",
    processor="A processor",
    cpus=2,
    memory_bytes=24 * 2**30,
    python="CPython 3.11.7",
    native_build="release",
    packages={"noob": "1003.0.2"},
    load_average=0.1,
)


@pytest.fixture
def result() -> SuiteResult:
    """A result with every outcome and an extrapolated load time."""
    missing = {
        "epoch_s": (),
        "us_per_node": None,
        "speedup_vs_sync": None,
        "validated": False,
        "load_s": None,
        "start_s": None,
        "peak_rss_bytes": None,
    }
    return SuiteResult(
        schema_version=SCHEMA_VERSION,
        created="2026-01-02T03:04:05+00:00",
        command="python -m noob_perf.suite --runner all",
        interrupted=False,
        machine=MACHINE,
        workload=WorkloadFacts(
            pattern="random_layered",
            kernel="noop",
            nodes=10_000,
            edges=19_800,
            content_hash="c0ffee",
            depth=100,
            width=100,
            work_s=0.0,
            span_s=0.0,
            parallelism=100.0,
            critical_path_nodes=100,
            parameters={"pattern": "random_layered", "nodes": 10_000, "duration": 0.0},
        ),
        stock_load=StockLoad(
            points=(StockPoint(500, (0.2, 0.21)), StockPoint(1_000, (0.8, 0.82))),
            exponent=2.0,
            exponent_interval=(1.9, 2.1),
            asked_nodes=10_000,
            measured_s=None,
            extrapolated_s=81.0,
            extrapolated_interval_s=(60.0, 110.0),
            reason="",
        ),
        runs=(
            make_run(),
            make_run(
                "compiled",
                native=True,
                epoch_s=(0.010, 0.011, 0.012, 0.0105),
                us_per_node=1.07,
                speedup_vs_sync=950.0,
            ),
            make_run("zmq", outcome=Outcome.UNSUPPORTED, reason="a process a node", **missing),
            make_run("zmq", nodes=16, us_per_node=700.0, speedup_vs_sync=None),
            make_run("slow", outcome=Outcome.TIMEOUT, reason="no answer within 9 s", **missing),
            make_run("broken", outcome=Outcome.FAILURE, reason="ValueError: <b>no</b>", **missing),
            make_run("loop", epoch_s=(0.006, 0.0061, 0.0062), us_per_node=0.61),
        ),
    )


def make_cell(label: str = "compiled", *, memory=(), duration: float = 0.0, **changes):
    """A cell of an experiment; memory is given as totals by epochs."""
    return CellResult(
        label=label,
        parameters={"pattern": "chain", "kernel": "busy", "duration": duration},
        run=make_run(label, **changes),
        memory=tuple(MemorySample(epochs, total, 0, 0) for epochs, total in memory),
    )


def failed_cell(label: str, reason: str):
    """A cell that could not be measured."""
    return make_cell(label, outcome=Outcome.FAILURE, reason=reason, epoch_s=(), validated=False)


@pytest.fixture(name="make_cell")
def _make_cell():
    return make_cell


@pytest.fixture(name="failed_cell")
def _failed_cell():
    return failed_cell


def make_timing(implementation: str = "native", operation: str = "encode", **changes) -> Timing:
    """A timing of a component, unless it is changed."""
    values = {
        "case": "table",
        "size": 100,
        "quantity": Quantity.SECONDS,
        "outcome": Outcome.SUCCESS,
        "reason": "",
        "values": (0.001, 0.002, 0.003),
    }
    return Timing(implementation, operation, **(values | changes))


@pytest.fixture(name="make_timing")
def _make_timing():
    return make_timing


@pytest.fixture
def components() -> ComponentsResult:
    """A result with lines and strips, every verdict, and something that failed."""
    sized = tuple(
        make_timing(
            name, "decode", size=size, values=tuple(v * factor * size for v in (1e-6, 2e-6))
        )
        for size in (10, 100, 1_000)
        for name, factor in (("native", 1), ("pickle 5", 3))
    )
    single = (
        make_timing("native", produced_bytes=2_048),
        make_timing("pickle 5", values=(0.004, 0.006)),
        make_timing("native", "held", quantity=Quantity.BYTES, values=(2048.0,)),
        make_timing("twin", outcome=Outcome.FAILURE, reason="wrong result: <b>1</b>", values=()),
        make_timing("msgspec", "", outcome=Outcome.UNSUPPORTED, reason="get it", values=()),
    )
    estimate = Estimate(0.002, 0.001, 0.003, 0.95)
    ratio = Estimate(3.0, 2.0, 4.0, 0.9)
    times = Figure("times faster", Quantity.TIMES, ratio, at_least=4.5)
    open_ = Figure("perhaps faster", Quantity.TIMES, ratio, at_least=2.5)
    absolute = Figure("an absolute one", Quantity.SECONDS, estimate, at_most=0.01)

    def headline(claim: str, verdict: Verdict, measured: Estimate | None, **more) -> Headline:
        quantity = more.get("quantity", Quantity.SECONDS)
        return Headline(
            "FastThing", claim, quantity, 0.001, at_most=True, estimate=measured, verdict=verdict,
            note="a note",
        )  # fmt: skip

    return ComponentsResult(
        schema_version=SCHEMA_VERSION,
        created="2026-01-02T03:04:05+00:00",
        command="python -m noob_perf.components --component serializer",
        interrupted=False,
        machine=MACHINE,
        answers=(
            ComponentAnswer(
                "serializer",
                "What does it take?",
                "row",
                sized + single,
                (Figure("native: table: decode", Quantity.EXPONENT, Estimate(1, 0.9, 1.1, 0.95)),),
                (
                    Target(times, "pickle 5", estimate),
                    Target(open_, "pickle 5", estimate),
                    Target(absolute, "", None),
                ),
            ),
        ),
        headlines=(
            headline("a bold claim", Verdict.NOT_REACHED, estimate),
            headline("a modest claim", Verdict.REACHED, estimate),
            headline("a daring claim", Verdict.PROJECTED, estimate),
            headline("a fair claim", Verdict.UNDECIDED, estimate),
            headline("an idle claim", Verdict.NOT_MEASURED, None),
            headline("a vague claim", Verdict.NOT_COMPARABLE, None, quantity=None),
        ),
    )


@pytest.fixture
def answers() -> ParallelResult:
    """A result with every kind of figure: met, missed, not asked for, and not measured."""
    figures = (
        Figure("a: a task", Quantity.SECONDS, Estimate(12e-6, 11e-6, 13e-6, 0.95), at_most=20e-6),
        Figure("b over a", Quantity.TIMES, Estimate(1.5, 1.4, 1.6, 0.9), at_most=1.3),
        Figure("a", Quantity.SHARE, Estimate(0.95, 0.94, 0.96, 0.95), at_least=0.93),
        Figure("b", Quantity.BYTES, Estimate(2048.0, 2048.0, 2048.0, 0.0)),
        Figure("c", Quantity.SECONDS, None, "c: failure: <b>no</b>", at_most=1.0),
        Figure("d", Quantity.SECONDS, None, "it never crosses"),
    )
    cells = (
        make_cell("a", memory=[(10, 2**20), (20, 2**20)], native=True),
        make_cell("b", reason="it did not stop in good order"),
        failed_cell("c", "<b>no</b>"),
    )
    return ParallelResult(
        schema_version=SCHEMA_VERSION,
        created="2026-01-02T03:04:05+00:00",
        command="python -m noob_perf.parallel --only overhead",
        interrupted=False,
        machine=MACHINE,
        answers=(Answer("overhead", "What does it cost?", figures, cells),),
    )
