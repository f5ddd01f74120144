"""Figures from cells: the right number, its interval, and a reason where there is none."""

from __future__ import annotations

import pytest

from noob_perf.experiments import figures
from noob_perf.results import Quantity

MEGABYTE = 2**20


def test_a_time_per_node_is_that_of_the_graphs_nodes(make_cell):
    figure = figures.time_per_node(
        "x", make_cell(nodes=100, epoch_s=(1.0, 2.0, 3.0)), at_most=0.031
    )
    assert (figure.estimate.low, figure.estimate.value, figure.estimate.high) == (0.01, 0.02, 0.03)
    assert figure.quantity is Quantity.SECONDS
    assert figure.met
    assert figure.reason == ""


def test_a_ratio_is_of_times(make_cell):
    slow, fast = make_cell(epoch_s=(6.0,) * 3), make_cell(epoch_s=(2.0,) * 3)
    assert figures.ratio("x", slow, fast, at_most=1.3).met is False
    assert figures.ratio("x", slow, fast, at_least=3.0).met is True
    assert figures.ratio("x", slow, fast).met is None
    assert not figures.ratio("x", slow, fast).asked
    spread = make_cell(epoch_s=(5.0, 6.0, 7.0))
    assert figures.ratio("x", spread, fast, at_least=2.9).met is None
    assert figures.ratio("x", spread, fast, at_most=2.4).met is False
    assert figures.ratio("x", slow, fast).estimate.value == 3


def test_a_difference_is_per_node(make_cell):
    cell, other = make_cell(nodes=10, epoch_s=(3.0,)), make_cell(nodes=10, epoch_s=(1.0,))
    assert figures.difference_per_node("x", cell, other).estimate.value == pytest.approx(0.2)


def test_efficiency_is_by_the_work_that_was_asked_for(make_cell):
    cell = make_cell(nodes=2_000, duration=1e-3, workers=2, epoch_s=(1.25, 1.0, 2.0))
    assert figures.efficiencies(cell) == pytest.approx([0.8, 1.0, 0.5])
    figure = figures.share_of_ideal("x", cell, at_least=0.93)
    assert figure.estimate.value == pytest.approx(0.8)
    assert figure.met is None  # one repeat was better
    assert figures.share_of_ideal("x", cell, at_least=1.01).met is False


def test_a_figure_of_what_failed_gives_every_reason(make_cell, failed_cell):
    good, bad, worse = make_cell(), failed_cell("bad", "it broke"), failed_cell("worse", "it fell")
    figure = figures.ratio("x", good, bad, at_most=2)
    assert figure.estimate is None
    assert figure.reason == "bad: failure: it broke"
    assert (figure.asked, figure.met) == (True, None)
    assert (
        figures.ratio("x", bad, worse).reason == "bad: failure: it broke; worse: failure: it fell"
    )


def rising(rate: float, level: float = 10 * MEGABYTE):
    """Samples of 1,000 epochs whose first 100 rise steeply whatever comes then."""
    early = [(epoch, int(level * epoch / 200)) for epoch in range(10, 100, 10)]
    return early + [(epoch, int(level + rate * epoch)) for epoch in range(100, 1_001, 10)]


def test_memory_is_judged_from_the_epoch_given_to_the_last(make_cell):
    level, growth, *parts = figures.memory_growth("x", make_cell(memory=rising(0.0)), after=100)
    assert level.estimate.value == 10 * MEGABYTE
    assert growth.name == "x: growth from epoch 100 to 1,000"
    assert growth.estimate.value == pytest.approx(0, abs=1)
    assert growth.met
    assert [part.name.rpartition(", ")[2] for part in parts] == [
        "coordinator", "workers", "memory files",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "level", "flat"),
    [
        (1_000.0, 10 * MEGABYTE, True),  # 0.9 MB in all
        (2_000.0, 10 * MEGABYTE, False),
        (2_000.0, 400 * MEGABYTE, True),  # less than 1 % of what is held
        (-5_000.0, 10 * MEGABYTE, True),
    ],
)
def test_memory_is_flat_below_a_megabyte_or_a_hundredth(make_cell, rate, level, flat):
    cell = make_cell(memory=rising(rate, level))
    _, growth, coordinator, workers, _ = figures.memory_growth("x", cell, after=100)
    assert growth.estimate.value == pytest.approx(900 * rate, rel=1e-3)
    assert growth.met is flat
    assert coordinator.estimate.value == pytest.approx(rate, rel=1e-3)
    assert workers.estimate.value == 0


@pytest.mark.parametrize("reason", ["", "repeat 2 of 9: no answer within 9 s"])
def test_too_few_samples_are_a_reason(make_cell, reason):
    cell = make_cell(memory=[(100, 1), (110, 1)], reason=reason)
    (figure,) = figures.memory_growth("x", cell, after=100)
    assert figure.estimate is None
    assert figure.reason == (reason or "2 samples from epoch 100 on are too few")
