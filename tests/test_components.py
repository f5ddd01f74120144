"""The component lab from end to end on tiny cases, and what it says to the claims."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from noob_perf import cli, components
from noob_perf.errors import UnsupportedError
from noob_perf.experiments import components as experiment
from noob_perf.experiments.components import core, headlines
from noob_perf.experiments.components.bench import NATIVE, Bench, Findings, Options
from noob_perf.experiments.components.headlines import At, Claim, claims, judge
from noob_perf.experiments.components.scale import FULL, QUICK, Scale
from noob_perf.measure.subjects import buffers, schedulers
from noob_perf.results import ComponentsResult, Outcome, Quantity, Verdict, from_json

TINY = Scale(
    small_graphs=(20,),
    graphs=(30, 60),
    buffers=(65_536,),
    held=(65_544,),
    mixed_bytes=2**20,
    budget_s=0.01,
    least_repeats=2,
    most_repeats=2,
)


def no_core():
    raise UnsupportedError("not in a test")


def test_components_are_measured_with_table_file_and_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(components, "FULL", TINY)
    monkeypatch.setattr(core, "_build", no_core)
    file, page = tmp_path / "x.json", tmp_path / "x.html"
    code = cli.main(
        ["components", "--component", "scheduler", "--component", "buffers",
         "--json", str(file), "--html", str(page)]
    )  # fmt: skip
    assert not psutil.Process().children(recursive=True)
    result = from_json(file.read_bytes(), ComponentsResult)
    printed = capsys.readouterr()
    assert code == 0, printed
    scheduler, buffered = result.answers
    found = {(t.implementation, t.operation, t.size): t for t in scheduler.timings}
    for name in (NATIVE, "twin", "graphlib", "rustworkx", "networkx"):
        for nodes in TINY.graphs:
            assert len(found[name, schedulers.EPOCH, nodes].values) == 2
    assert [f.name for f in scheduler.growths if f.name.startswith("noob_core")] == [
        f"noob_core: graph: {operation}"
        for operation in (schedulers.CONSTRUCT, schedulers.EPOCH, schedulers.WHOLE)
    ]
    assert found[core.CORE, "", 30].reason == "not in a test"
    shared = [t for t in buffered.timings if t.implementation == "shared_memory"]
    assert {t.operation for t in shared} == {buffers.VIEW, buffers.CYCLE, buffers.OVERHEAD}
    reused = [t for t in buffered.timings if t.implementation == "shared_memory, reused"]
    assert all(t.measured for t in reused)
    assert {t.operation for t in reused} == {buffers.VIEW, buffers.CYCLE}
    for answer in result.answers:
        for target in answer.targets:
            assert target.figure.name in page.read_text()
    assert "not in a test" in printed.out
    assert {headline.component for headline in result.headlines} == {"FastScheduler", "BufferPool"}
    assert result.headlines[-1].verdict is Verdict.NOT_COMPARABLE
    measured = {headline.claim for headline in result.headlines if headline.estimate}
    assert measured == {
        claim.text for claim in claims(TINY)
        if claim.component in ("FastScheduler", "BufferPool") and claim.at.implementation == NATIVE
    }  # fmt: skip
    assert "warm-up" in printed.err
    assert result.command == (
        "python -m noob_perf.components --component scheduler --component buffers --timeout 120"
    )


def test_a_quick_run_has_figures_and_no_verdicts(monkeypatch):
    scale = replace(TINY, judged=False)
    question = replace(experiment.QUESTIONS["buffers"], measure=lambda _bench: None)
    result = experiment.measure([question], Options(scale), "command", Silent())
    assert QUICK.judged is False
    assert result.headlines == ()
    assert result.answers[0].targets
    assert not any(target.figure.asked for target in result.answers[0].targets)
    result = experiment.measure([question], Options(TINY), "command", Silent())
    assert result.headlines
    assert any(target.figure.asked for target in result.answers[0].targets)


def test_an_unknown_component_is_wrong_usage_with_the_list(capsys):
    with pytest.raises(SystemExit) as caught:
        components.main(["--component", "everything"])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert "'everything'" in printed
    assert all(name in printed for name in experiment.QUESTIONS)


class Silent:
    """An observer that does nothing."""

    def stage(self, text): ...

    def planned(self, steps): ...

    def advance(self, text): ...

    def ended(self, runner, outcome, reason): ...


def test_an_interrupt_keeps_what_was_found(monkeypatch, make_timing):
    def interrupted(bench):
        bench.timings.append(make_timing())
        raise KeyboardInterrupt

    question = replace(experiment.QUESTIONS["store"], measure=interrupted)
    result = experiment.measure([question, question], Options(TINY), "command", Silent())
    assert result.interrupted
    (answer,) = result.answers
    assert answer.timings == (make_timing(),)
    assert answer.targets == ()


class Feigned(Findings):
    """Findings in which all that a full run asks for was measured, and nothing else."""

    def __init__(self, question, monkeypatch, make_timing):
        super().__init__([], FULL, question.quantities)
        self.asked = set()
        self.make_timing = make_timing
        self.scale = FULL
        monkeypatch.setattr(core, "_build", lambda: None)
        monkeypatch.setattr(core, "_clocked", lambda _program, nodes: [nodes * 1e-9])
        monkeypatch.setattr(core, "_counted", lambda _program, nodes: [nodes * 100.0])
        monkeypatch.setattr(Bench, "measure", self.measure)
        monkeypatch.setattr(Bench, "measure_cold", self.measure)
        bench = Bench(Options(FULL), Silent(), {})
        question.measure(bench)
        self.asked |= {(t.implementation, t.case, t.size) for t in bench.timings}

    def measure(self, case, entries):
        for entry in entries:
            if entry.max_nodes is None or case.size <= entry.max_nodes:
                self.asked.add((entry.name, case.kind, case.size))

    def find(self, implementation, operation, case, size):
        if (implementation, case, size) not in self.asked:
            return super().find(implementation, operation, case, size)
        return self.make_timing(
            implementation, operation, case=case, size=size, produced_bytes=1_000,
            quantity=self._quantities.get(operation, Quantity.SECONDS),
        )  # fmt: skip

    def sizes(self, implementation, operation, case):
        return [
            self.find(implementation, operation, case, size)
            for _, _, size in sorted(key for key in self.asked if key[:2] == (implementation, case))
        ]


def test_a_full_run_has_all_that_targets_and_claims_are_judged_by(monkeypatch, make_timing):
    found = {
        name: Feigned(question, monkeypatch, make_timing)
        for name, question in experiment.QUESTIONS.items()
    }
    names = set()
    for name, question in experiment.QUESTIONS.items():
        for target in question.targets(found[name]):
            assert target.figure.estimate is not None, target
            assert target.figure.name not in names
            names.add(target.figure.name)
    for headline in headlines.judge_claims(FULL, found):
        assert headline.verdict is not Verdict.NOT_MEASURED, headline
    assert len(headlines.judge_claims(FULL, {"store": found["store"]})) == 5


HERE = At("store", NATIVE, "add", "events", 1_000)


def claim(**changes) -> Claim:
    values = {"quantity": Quantity.SECONDS, "claimed": 0.002, "at": HERE, "at_most": True}
    return Claim("FastThing", "a claim", "a way", **(values | changes))


def verdict(claimed: Claim, *timings):
    return judge(claimed, {"store": Findings(timings, FULL, {})})


@pytest.fixture
def timing(make_timing):
    def make(name=NATIVE, **changes):
        return make_timing(name, "add", **({"case": "events", "size": 1_000} | changes))

    return make


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (0.0031, Verdict.REACHED), (0.003, Verdict.REACHED), (0.0029, Verdict.UNDECIDED),
        (0.001, Verdict.UNDECIDED), (0.0009, Verdict.NOT_REACHED),
    ],
)  # fmt: skip
def test_a_claimed_time_is_the_most(claimed, expected, timing):
    headline = verdict(claim(claimed=claimed), timing())
    assert (headline.verdict, headline.estimate.value) == (expected, 0.002)
    assert (headline.claimed, headline.note) == (claimed, "a way")


@pytest.mark.parametrize(
    ("claimed", "expected"), [(9.9, Verdict.REACHED), (10.1, Verdict.NOT_REACHED)]
)
def test_a_claimed_factor_is_the_least(claimed, expected, timing):
    over = replace(HERE, implementation="slow")
    slow = timing("slow", values=(0.02, 0.02, 0.02))
    asked = claim(quantity=Quantity.TIMES, claimed=claimed, over=over, at_most=False)
    headline = verdict(asked, timing(values=(0.002,) * 3), slow)
    assert headline.verdict is expected
    assert headline.estimate.value == pytest.approx(10)


def test_what_cannot_bear_the_size_is_extrapolated_from_smaller_ones(timing):
    over = replace(HERE, implementation="slow")
    smaller = [timing("slow", size=n, values=(n * n * 1e-6,) * 2) for n in (10, 20, 40)]
    refused = timing("slow", outcome=Outcome.UNSUPPORTED, reason="it is slow", values=())
    asked = claim(quantity=Quantity.TIMES, claimed=499.0, over=over, at_most=False)
    headline = verdict(asked, timing(), *smaller, refused)
    assert headline.estimate.value == pytest.approx(1 / 0.002)
    assert headline.verdict is Verdict.UNDECIDED
    assert verdict(replace(asked, claimed=99.0), timing(), *smaller, refused).verdict is (
        Verdict.PROJECTED
    )
    headline = verdict(asked, timing(), *smaller[:2], refused)
    assert (headline.verdict, headline.note) == (
        Verdict.NOT_MEASURED, "a way; slow: it is slow",
    )  # fmt: skip


def test_a_claimed_rate_is_of_events_or_of_bytes(timing):
    headline = verdict(claim(quantity=Quantity.PER_SECOND, claimed=3e5, at_most=False), timing())
    assert headline.estimate.value == pytest.approx(5e5)
    assert headline.estimate.low == pytest.approx(1_000 / 0.003)
    assert headline.verdict is Verdict.REACHED
    asked = claim(quantity=Quantity.BYTES_PER_SECOND, claimed=2.1e6, at_most=False)
    headline = verdict(asked, timing(produced_bytes=2_000))
    assert headline.estimate.value == pytest.approx(1e6)
    assert headline.verdict is Verdict.NOT_REACHED
    assert verdict(asked, timing()).verdict is Verdict.NOT_MEASURED


def test_a_decision_inside_rust_is_an_epoch_over_its_nodes(timing):
    asked = claim(claimed=1e-6, at=replace(HERE, implementation=core.CORE))
    assert verdict(asked, timing(core.CORE)).estimate.value == pytest.approx(2e-6)


def test_a_claim_that_was_not_measured_says_why(timing):
    broken = timing(outcome=Outcome.FAILURE, reason="wrong result: 2, not 1", values=())
    headline = verdict(claim(), broken)
    assert headline.verdict is Verdict.NOT_MEASURED
    assert headline.note == "a way; native: wrong result: 2, not 1"
    assert verdict(claim()).note == "a way; native: this run has no events of 1,000"


def test_a_claim_of_many_is_judged_by_the_worst(timing):
    other = replace(HERE, size=2_000)
    asked = claim(claimed=0.003, also=(other,))
    assert verdict(asked, timing(), timing(size=2_000)).verdict is Verdict.REACHED
    worse = timing(size=2_000, values=(0.004, 0.005, 0.006))
    headline = verdict(asked, timing(), worse)
    assert (headline.verdict, headline.estimate.value) == (Verdict.NOT_REACHED, 0.005)
    headline = verdict(asked, timing())
    assert (headline.verdict, headline.estimate) == (Verdict.NOT_MEASURED, None)
    assert headline.note == "a way; native: this run has no events of 2,000"


def test_the_claims_are_those_that_were_announced():
    assert {c.component for c in claims(FULL)} == {
        "FastEventStore", "FastScheduler", "FastSerializer", "BufferPool",
    }  # fmt: skip
    claimed = {(c.component, c.claimed) for c in claims(FULL)}
    assert {
        ("FastEventStore", 0.18), ("FastEventStore", 12.8), ("FastEventStore", 0.02),
        ("FastEventStore", 60.0), ("FastScheduler", 1.1), ("FastScheduler", 86.4),
        ("FastScheduler", 100e-9), ("FastSerializer", 29.2), ("FastSerializer", 500e6),
        ("BufferPool", 0.01),
    } <= claimed  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "nodes", "words"),
    [(["node0"], 1, "one NUMA node"), (["node0", "node1"], 2, "2 NUMA nodes")],
)
def test_being_near_to_memory_is_not_comparable(numbers, nodes, words, tmp_path, monkeypatch):
    for name in numbers:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(headlines, "_NUMA_NODES", tmp_path)
    headline = headlines.judge_claims(FULL, {"buffers": Findings([], FULL, {})})[-1]
    assert headline.verdict is Verdict.NOT_COMPARABLE
    assert words in headline.note


def test_instructions_are_those_of_an_epoch_without_what_comes_before(tmp_path, monkeypatch):
    def pretend(command):
        *_, file, _program, nodes, epochs = command
        text = f"events: Ir\nsummary: {1_000 + 7 * int(nodes) * int(epochs)}\n"
        (tmp_path / "count").write_text(text)
        output = file.partition("=")[2]
        core.Path(output).write_text(text)

    monkeypatch.setattr(core, "_run", pretend)
    monkeypatch.setattr(core.shutil, "which", lambda name: f"/bin/{name}")
    assert core._counted("program", 50) == [350]
    monkeypatch.setattr(core.shutil, "which", lambda _name: None)
    with pytest.raises(UnsupportedError, match="valgrind"):
        core._counted("program", 50)
    with pytest.raises(ValueError, match="no total"):
        core._total("events: Ir\n")


def test_without_sources_or_cargo_the_core_is_a_row_with_the_reason(tmp_path, monkeypatch):
    package = tmp_path / "crate/python/noob_fast/__init__.py"
    package.parent.mkdir(parents=True)
    monkeypatch.setattr(core, "find_spec", lambda _name: type("", (), {"origin": str(package)}))
    with pytest.raises(UnsupportedError, match="sources of noob_fast are not at hand"):
        core._build()
    (tmp_path / "crate/Cargo.toml").touch()
    with pytest.raises(UnsupportedError, match="no example scheduler_epoch"):
        core._build()
    (tmp_path / "crate/examples").mkdir()
    (tmp_path / "crate/examples/scheduler_epoch.rs").touch()
    monkeypatch.setattr(core.shutil, "which", lambda _name: None)
    with pytest.raises(UnsupportedError, match="cargo"):
        core._build()
    monkeypatch.setattr(core, "find_spec", lambda _name: None)
    bench = Bench(Options(TINY), Silent(), {})
    core.measure_core(bench, "graph", (30, 60))
    assert [(t.size, t.outcome, t.reason) for t in bench.timings] == [
        (nodes, Outcome.UNSUPPORTED, "noob_fast is not installed") for nodes in (30, 60)
    ]


def test_a_core_that_fails_is_a_row_with_the_reason(monkeypatch):
    monkeypatch.setattr(core, "_build", lambda: "false")
    monkeypatch.setattr(core.shutil, "which", lambda _name: "false")
    bench = Bench(Options(TINY), Silent(), {})
    core.measure_core(bench, "graph", (30,))
    assert {t.operation for t in bench.timings} == {core.DECISIONS, core.INSTRUCTIONS}
    for timing in bench.timings:
        assert (timing.outcome, timing.reason) == (
            Outcome.FAILURE, "exit code 1: it wrote nothing",
        )  # fmt: skip
