"""The process of a cell: what it measures of itself, and what it answers."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from noob_perf import registry
from noob_perf.measure.cell import Cell, CellError
from noob_perf.measure.cpus import usable_cpus
from noob_perf.measure.harness import (
    Compiled,
    Loop,
    Multiprocess,
    MultiprocessRemote,
    SyncIndexed,
)
from noob_perf.measure.memory import peak_rss_bytes
from noob_perf.measure.protocol import (
    Load,
    Loaded,
    Repeat,
    Repeated,
    Start,
    Started,
    Stopped,
    Weigh,
    Weighed,
)
from noob_workloads import PATTERNS, Workload, reference

WORKLOAD = Workload(nodes=30, width=5)


@pytest.fixture
def cell():
    cell = Cell(registry.find("loop"), WORKLOAD, None, 120.0)
    yield cell
    cell.kill()


def test_a_cell_answers_in_turn(cell):
    assert cell.ask(Load(), Loaded).load_s > 0
    assert cell.ask(Start(), Started).workers == 1
    first, second = cell.ask(Repeat(2), Repeated), cell.ask(Repeat(1), Repeated)
    assert [*first.results, *second.results] == reference(WORKLOAD, 3)
    assert cell.stop() == ""
    assert cell.stop() == ""


def test_the_memory_of_a_big_suite_is_not_taken_for_its_cells(cell):
    ballast = bytearray(400 * 2**20)
    ballast[:: 2**12] = b"x" * len(ballast[:: 2**12])
    assert peak_rss_bytes() > 400 * 2**20
    cell.ask(Load(), Loaded)
    cell.ask(Start(), Started)
    assert 2**20 < cell.ask(Repeat(1), Repeated).peak_rss_bytes < 350 * 2**20


@pytest.mark.parametrize(("harness", "seed"), [(Loop, 91), (SyncIndexed, 92), (Compiled, 93)])
def test_the_time_to_load_does_not_cover_the_making_of_the_graph(harness, seed, monkeypatch):
    made = []
    pattern = PATTERNS["random_layered"]
    counted = replace(pattern, build=lambda asked: made.append(asked) or pattern.build(asked))
    monkeypatch.setitem(PATTERNS, "random_layered", counted)
    workload = replace(WORKLOAD, seed=seed)  # another each time: graphs are kept
    fresh = harness(workload)
    fresh.prepare()
    assert made == [workload]
    fresh.load()
    assert made == [workload]


@pytest.mark.parametrize(
    ("name", "placement"), [("multiprocess", "adaptive"), ("multiprocess-remote", "remote")]
)
def test_the_multiprocess_harness_runs_several_epochs_in_as_many_workers_as_asked(name, placement):
    cell = Cell(registry.find(name), WORKLOAD, 1, 120.0)
    try:
        assert cell.ask(Load(), Loaded).load_s > 0
        assert cell.ask(Start(), Started).workers == 1
        first, second = cell.ask(Repeat(3), Repeated), cell.ask(Repeat(2), Repeated)
        assert [*first.results, *second.results] == reference(WORKLOAD, 5)
        weighed = cell.ask(Weigh(), Weighed).memory
        assert weighed.own_bytes > 2**20
        # with so little to do, only those that must leave have workers
        assert placement == "adaptive" or weighed.children_bytes > 2**20
        assert cell.stop() == ""
    finally:
        cell.kill()
    harness = {"adaptive": Multiprocess, "remote": MultiprocessRemote}[placement]
    assert harness.placement == placement
    assert harness(WORKLOAD).workers == usable_cpus()


def test_an_answer_of_another_kind_is_refused(cell):
    with pytest.raises(TypeError, match="loop answered Load"):
        cell.ask(Load(), Stopped)


def test_a_harness_that_is_not_there_is_a_reason():
    cell = Cell(registry.RunnerEntry("x", "no_such_module:X", ""), WORKLOAD, None, 120.0)
    with pytest.raises(CellError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        cell.ask(Load(), Loaded)


def test_a_process_that_does_not_start_is_a_reason(cell, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(CellError, match="could not be started"):
        cell.ask(Load(), Loaded)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('File "/home/me/env/x.py", line 3', 'File "x.py", line 3'),
        ("No such file: '/tmp/a b/y.json'", "No such file: 'y.json'"),
        ("/usr/bin/python: not found", "python: not found"),
        (
            "see https://noob.readthedocs.io/en/latest/",
            "see https://noob.readthedocs.io/en/latest/",
        ),
        ("3/4 of it, either/or", "3/4 of it, either/or"),
    ],
)
def test_a_reason_does_not_say_where_this_machine_has_its_files(said, kept):
    assert str(CellError(said)) == kept
