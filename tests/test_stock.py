"""The load time of stock NOOB: measured where it can be, led on from there, never mixed up."""

from __future__ import annotations

import json

import psutil
import pytest

from noob_perf.measure import stock
from noob_workloads import Workload

LIMIT_S = 120.0


@pytest.fixture
def small_sizes(monkeypatch):
    monkeypatch.setattr(stock, "SIZES", (20, 40, 80))
    monkeypatch.setattr(stock, "REPEATS", 2)


def measure(workload, on_size=lambda _: None):
    trial = stock.StockTrial(workload, LIMIT_S)
    trial.measure(on_size)
    return trial.to_stock_load()


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    assert not psutil.Process().children(recursive=True)


def test_a_size_within_reach_is_measured(small_sizes):
    told = []
    found = measure(Workload(nodes=60, width=10), told.append)
    assert told == [60]
    (point,) = found.points
    assert point.nodes == 60
    assert len(point.load_s) == 2
    assert found.measured_s > 0
    assert found.extrapolated_s is None
    assert found.exponent is None
    assert found.reason == ""


def test_a_size_beyond_is_extrapolated(small_sizes):
    told = []
    found = measure(Workload(nodes=200, width=10), told.append)
    assert told == [point.nodes for point in found.points] == [20, 40, 80]
    assert found.asked_nodes == 200
    assert found.measured_s is None
    low, high = found.exponent_interval
    assert low <= found.exponent <= high
    low, high = found.extrapolated_interval_s
    assert low <= found.extrapolated_s <= high


def test_what_fails_leaves_the_sizes_below_it(small_sizes, monkeypatch):
    load = stock._load
    failing = stock.CellError("it fell over")

    def fail_at_80(workload, timeout_s):
        if workload.nodes == 80:
            raise failing
        return load(workload, timeout_s)

    monkeypatch.setattr(stock, "_load", fail_at_80)
    found = measure(Workload(nodes=200, width=10))
    assert [point.nodes for point in found.points] == [20, 40]
    assert found.reason == "it fell over"
    assert found.extrapolated_s is not None


def test_an_interrupt_leaves_the_sizes_that_were_done(small_sizes):
    def interrupt_at_80(size):
        if size == 80:
            raise KeyboardInterrupt

    trial = stock.StockTrial(Workload(nodes=200, width=10), LIMIT_S)
    with pytest.raises(KeyboardInterrupt):
        trial.measure(interrupt_at_80)
    found = trial.to_stock_load()
    assert [point.nodes for point in found.points] == [20, 40]
    assert found.reason == "interrupted"
    assert found.extrapolated_s > 0


def test_a_load_counts_only_if_the_tube_works(small_sizes, monkeypatch):
    class Other(stock.Expected):
        def between(self, first, end):
            return [{"digest": -1}]

    monkeypatch.setattr(stock, "Expected", Other)
    found = measure(Workload(nodes=20, width=5))
    assert found.points == ()
    assert found.measured_s is None
    assert "wrong result" in found.reason


def test_a_graph_that_has_no_smaller_ones_is_not_extrapolated(small_sizes, tmp_path):
    names = [f"t{i}" for i in range(90)]
    tasks = [{"name": n, "id": n, "parents": [], "children": [], "files": []} for n in names]
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"name": "x", "schemaVersion": "1.4", "workflow": {"tasks": tasks}}))
    workload = Workload(pattern="wfformat", source=str(file))
    found = measure(workload)
    assert found.points == ()
    assert found.extrapolated_s is None
    assert found.reason == "pattern 'wfformat' has no smaller graphs"
