"""The parallel experiment from end to end on small graphs, and what can go wrong in it."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from noob_perf import parallel, registry
from noob_perf.experiments import laboratory, metg
from noob_perf.experiments import parallel as experiment
from noob_perf.experiments.laboratory import Asked, Laboratory, Options, Question
from noob_perf.measure.turns import take_turns
from noob_perf.results import Outcome, ParallelResult, Quantity, from_json
from noob_workloads import Workload

SMALL = Workload(nodes=20, width=5)


class Watcher:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.stages, self.steps, self.advanced, self.failed = [], [], 0, []

    def stage(self, text):
        self.stages.append(text)

    def planned(self, steps):
        self.steps.append(steps)

    def advance(self, text):
        self.advanced += 1

    def ended(self, runner, outcome, reason):
        self.failed.append((runner, outcome))


@pytest.fixture
def lab():
    lab = Laboratory(Options(workers=1, quick=True, timeout_s=60.0), Watcher())
    yield lab
    assert not psutil.Process().children(recursive=True)


def test_cells_are_measured_in_turns_and_kept(lab):
    loop, cold = lab.measure(
        Asked("loop", SMALL, "a loop", epochs=3, repeats=4), Asked("compiled", SMALL, cold=True)
    )
    assert lab.cells == [loop, cold]
    assert (loop.label, cold.label) == ("a loop", "compiled")
    assert (len(loop.run.epoch_s), len(cold.run.epoch_s)) == (4, 1)
    assert loop.run.epochs == 3
    assert loop.run.validated
    assert loop.parameters["nodes"] == 20
    assert loop.memory == ()
    assert lab._observer.steps == [4]
    assert lab._observer.advanced == 4


def test_memory_is_sampled_after_every_repeat(lab):
    (cell,) = lab.measure(Asked("loop", SMALL, epochs=5, repeats=2, weighed=True))
    assert [sample.epochs for sample in cell.memory] == [5, 10, 15]
    assert all(sample.own_bytes > 2**20 for sample in cell.memory)
    assert {sample.children_bytes for sample in cell.memory} == {0}


def test_a_cell_that_fails_or_is_missing_is_a_row(lab, misbehave):
    misbehave("Raising")
    misbehave("Absent", requires=("no_such_module_at_all",), hint="pip install absent")
    good, bad, absent = lab.measure(
        Asked("loop", SMALL), Asked("Raising", SMALL), Asked("Absent", SMALL)
    )
    assert good.run.outcome is Outcome.SUCCESS
    assert len(good.run.epoch_s) == Laboratory.QUICK_REPEATS
    assert bad.run.outcome is Outcome.FAILURE
    assert "no such thing" in bad.run.reason
    assert absent.run.outcome is Outcome.UNSUPPORTED
    assert "pip install absent" in absent.run.reason
    assert lab._observer.failed == [
        ("Absent", Outcome.UNSUPPORTED), ("Raising", Outcome.FAILURE),
    ]  # fmt: skip


def test_a_wrong_result_of_a_cold_cell_costs_its_time(lab, misbehave):
    misbehave("Short")
    (cell,) = lab.measure(Asked("Short", SMALL, cold=True))
    assert cell.run.outcome is Outcome.FAILURE
    assert cell.run.epoch_s == ()


def test_pickling_in_band_changes_no_result(lab):
    payload = Workload("chain", nodes=3, kernel="payload", output_bytes=100)
    entry = registry.RunnerEntry("pickled", "noob_perf.measure.harness:Pickled", "")
    (cell,) = lab.measure(Asked(entry, payload))
    assert cell.run.validated


def test_an_interrupt_keeps_what_was_measured_and_leaves_nothing(monkeypatch):
    def interrupted(trials, observer):
        take_turns(trials, observer)
        raise KeyboardInterrupt

    def answer(lab):
        lab.measure(Asked("loop", SMALL))
        monkeypatch.setattr(laboratory, "take_turns", interrupted)
        lab.measure(Asked("loop", SMALL, "interrupted"))
        raise AssertionError("not reached")

    questions = [Question("first", "?", answer), Question("second", "?", answer)]
    result = experiment.measure(questions, Options(1, quick=True), "command", Watcher())
    assert result.interrupted
    (given,) = result.answers
    assert [cell.label for cell in given.cells] == ["loop", "interrupted"]
    assert given.figures == ()
    assert not psutil.Process().children(recursive=True)


def test_a_question_is_answered_with_table_file_and_page(tmp_path, capsys):
    file, page = tmp_path / "x.json", tmp_path / "x.html"
    code = parallel.main(
        ["--only", "overhead", "--only", "overhead", "--quick", "--workers", "1",
         "--json", str(file), "--html", str(page)]
    )  # fmt: skip
    result = from_json(file.read_bytes(), ParallelResult)
    assert not psutil.Process().children(recursive=True)
    (answer,) = result.answers
    assert {cell.run.outcome for cell in answer.cells} == {Outcome.SUCCESS}, answer
    assert code == 0
    assert all(figure.estimate.value > 0 for figure in answer.figures)
    printed = capsys.readouterr()
    for figure in answer.figures:
        assert figure.name in printed.out
        assert figure.name in page.read_text()
    assert "A quick run" in printed.err
    assert result.command == (
        "python -m noob_perf.parallel --only overhead --workers 1 --timeout 600 --quick"
    )


def test_the_list_has_every_question(capsys):
    assert parallel.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(experiment.QUESTIONS)


def test_an_unknown_question_is_wrong_usage_with_the_list(capsys):
    with pytest.raises(SystemExit) as caught:
        parallel.main(["--only", "everything"])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert "'everything'" in printed
    assert all(name in printed for name in experiment.QUESTIONS)


class Feigned:
    """A laboratory whose cells follow a law, so that a question's own logic shows."""

    quick = False

    def __init__(self, make_cell, law):
        self.make_cell, self.law, self.asked = make_cell, law, []

    def measure(self, *asked):
        self.asked += asked
        return [self.law(cell) for cell in asked]


@pytest.mark.parametrize("name", list(experiment.QUESTIONS))
def test_every_question_has_figures_when_all_goes_well(make_cell, name):
    def law(asked):
        work_s = asked.workload.nodes * asked.workload.duration
        cell = make_cell(
            asked.label or str(asked.runner),
            duration=asked.workload.duration,
            nodes=asked.workload.nodes,
            workers=2,
            # an overhead of 100 µs a task, shared by the workers
            epoch_s=((work_s + asked.workload.nodes * 1e-4) / 2,) * 6,
            memory=[(epoch * 10, 10**8) for epoch in range(1, 101)],
        )
        return replace(cell, memory=cell.memory if asked.weighed else ())

    lab = Feigned(make_cell, law)
    figures = experiment.QUESTIONS[name].answer(lab)
    assert figures
    assert all(figure.estimate is not None for figure in figures), figures
    assert len({figure.name for figure in figures}) == len(figures)


def test_metg_walks_down_until_it_knows_enough(make_cell):
    overheads = {"multiprocess-remote": 60e-6, "dask": 4e-3}

    def law(asked):
        runner = asked.label.split(",")[0]
        if runner == "ray":
            return make_cell("ray", outcome=Outcome.UNSUPPORTED, reason="absent", epoch_s=())
        length = asked.workload.duration
        nodes = asked.workload.nodes
        return make_cell(
            runner,
            duration=length,
            nodes=nodes,
            workers=2,
            epoch_s=(nodes * (length + overheads[runner]) / 2,) * 3,
        )

    lab = Feigned(make_cell, law)
    ours, dask, ray = metg.METG.answer(lab)
    assert ours.estimate.value == pytest.approx(60e-6, rel=0.02)
    assert ours.quantity is Quantity.SECONDS
    assert ours.met
    assert dask.estimate.value == pytest.approx(4e-3, rel=0.02)
    assert ray.estimate is None
    assert "absent" in ray.reason
    lengths = {}
    for asked in lab.asked:
        lengths.setdefault(asked.runner, []).append(asked.workload.duration)
    assert len(lengths["ray"]) == 1
    assert min(lengths["dask"]) == pytest.approx(1.28e-3)  # the first below a quarter
    assert max(lengths["multiprocess-remote"]) < max(lengths["dask"])


def test_metg_says_where_it_looked_in_vain(make_cell):
    def law(asked):
        nodes, length = asked.workload.nodes, asked.workload.duration
        return make_cell(nodes=nodes, duration=length, workers=1, epoch_s=(nodes * length,) * 3)

    ours, dask, _ = metg.METG.answer(Feigned(make_cell, law))
    assert ours.reason == "the efficiency does not fall through 50% between tasks of 2560 and 10 µs"
    assert "10240 and 10 µs" in dask.reason
