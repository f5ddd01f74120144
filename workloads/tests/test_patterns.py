"""The patterns: their definitions, sizes, seeds, and hashes that must never change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_workloads import PATTERNS, InvalidWorkloadError, Workload
from noob_workloads.workflows import RECIPES

SYNTHETIC = [name for name in PATTERNS if name not in RECIPES and name != "wfformat"]
DRAWN = {"random_layered", "random_nearest"}


def points(pattern, step, point, width, radix):
    """Task Bench's dependencies of a point, as it defines them, before they are clipped."""
    sets = {"fft": max(int(np.ceil(np.log2(width))), 1), "spread": 3}.get(pattern, 1)
    reach = 1 << (step + sets - 1) % sets
    return {
        "trivial": list,
        "no_comm": lambda: [point],
        "stencil_1d": lambda: [point - 1, point, point + 1],
        "stencil_1d_periodic": lambda: [(point + d) % width for d in (-1, 0, 1)],
        "tree": lambda: [point // 2],
        "fft": lambda: [point - reach, point, point + reach],
        "all_to_all": lambda: range(width),
        "nearest": lambda: range(point - radix // 2, point + (radix - 1) // 2 + 1),
        "spread": lambda: [
            (point + i * width // radix + (step % sets if i else 0)) % width for i in range(radix)
        ],
    }[pattern]()


@pytest.mark.parametrize(
    "pattern",
    [name for name in SYNTHETIC[1:] if name not in {*DRAWN, "dom", "chain", "fan_out_in"}],
)
@given(nodes=st.integers(1, 90), width=st.integers(1, 20), data=st.data())
def test_points_depend_as_in_task_bench(pattern, nodes, width, data):
    radix = data.draw(st.integers(1, width))
    graph = Workload(pattern=pattern, nodes=nodes, width=width, fan_in=radix).graph()
    assert graph.nodes == nodes
    at = {}
    node = step = 0
    while node < nodes:
        size = min(width, 2**step) if pattern == "tree" else width
        for point in range(min(size, nodes - node)):
            if step:
                wanted = points(pattern, step, point, width, radix)
                expected = sorted({at[step - 1, p] for p in wanted if (step - 1, p) in at})
            else:
                expected = []
            assert graph.predecessors(node).tolist() == expected
            at[step, point] = node
            node += 1
        step += 1


@given(nodes=st.integers(1, 200), width=st.integers(1, 12))
def test_dom_is_a_sweep_that_opens_and_closes(nodes, width):
    graph = Workload(pattern="dom", nodes=nodes, width=width).graph()
    structure = graph.structure()
    assert graph.nodes == nodes
    assert structure.width <= width
    assert (np.diff(graph.indptr) <= 2).all()
    # Only the first node has nothing before it.
    assert np.flatnonzero(np.diff(graph.indptr) == 0).tolist() == [0]


def test_dom_of_nine_nodes_by_hand():
    graph = Workload(pattern="dom", nodes=9, width=3).graph()
    rows = [graph.predecessors(node).tolist() for node in range(9)]
    assert rows == [[], [0], [0], [1], [1, 2], [2], [3, 4], [4, 5], [6, 7]]


@given(nodes=st.integers(1, 60))
def test_chain(nodes):
    graph = Workload(pattern="chain", nodes=nodes).graph()
    assert [graph.predecessors(node).tolist() for node in range(nodes)] == [
        [node - 1] if node else [] for node in range(nodes)
    ]


def test_fan_out_in_by_hand():
    graph = Workload(pattern="fan_out_in", nodes=9, width=3).graph()
    rows = [graph.predecessors(node).tolist() for node in range(9)]
    assert rows == [[], [0], [0], [0], [1, 2, 3], [4], [4], [4], [5, 6, 7]]


@given(
    nodes=st.integers(1, 120),
    width=st.integers(1, 15),
    fan_in=st.integers(1, 40),
    jump=st.integers(1, 4),
    seed=st.integers(0, 2**31 - 1),
)
def test_random_layered_draws_fan_in_nodes_from_within_reach(nodes, width, fan_in, jump, seed):
    workload = Workload(nodes=nodes, width=width, fan_in=fan_in, jump=jump, seed=seed)
    graph = workload.graph()
    assert graph.nodes == nodes
    for node in range(nodes):
        layer = node // width
        reach = range(max(layer - jump, 0) * width, layer * width)
        row = graph.predecessors(node).tolist()
        assert len(row) == min(fan_in, len(reach))
        assert set(row) <= set(reach)


@given(
    nodes=st.integers(1, 120),
    width=st.integers(1, 15),
    density=st.floats(0, 1, exclude_min=True),
    jump=st.integers(1, 4),
)
def test_random_layered_with_density_stays_within_reach(nodes, width, density, jump):
    graph = Workload(nodes=nodes, width=width, density=density, jump=jump).graph()
    for node in range(nodes):
        layer = node // width
        reach = range(max(layer - jump, 0) * width, layer * width)
        row = graph.predecessors(node).tolist()
        assert set(row) <= set(reach)
        assert bool(row) == bool(reach)
        if density == 1:
            assert row == list(reach)


@pytest.mark.parametrize("density", [0.01, 0.2, 0.9])
def test_density_is_the_chance_of_an_edge(density):
    nodes, width, jump = 4_000, 100, 2
    graph = Workload(nodes=nodes, width=width, density=density, jump=jump).graph()
    possible = (nodes - width) * width * jump - width * width
    deviation = (possible * density * (1 - density)) ** 0.5
    spare = nodes * (1 - density) ** width  # nodes that would have none draw one
    assert possible * density - 5 * deviation <= graph.edges
    assert graph.edges <= possible * density + 5 * deviation + spare


def test_random_layered_draws_every_node_equally_often():
    graph = Workload(nodes=20_000, width=10, fan_in=3).graph()
    taken = np.bincount(graph.indices % 10, minlength=10)
    expected = graph.edges / 10
    assert (abs(taken - expected) < 5 * expected**0.5).all()


@given(nodes=st.integers(1, 100), width=st.integers(1, 12), fan_in=st.integers(1, 12))
def test_random_nearest_takes_itself_and_some_of_the_nearest(nodes, width, fan_in):
    options = {"pattern": "random_nearest", "nodes": nodes, "width": width, "fan_in": fan_in}
    graph = Workload(**options, density=0.5).graph()
    whole = Workload(**options | {"pattern": "nearest"}).graph()
    for node in range(width, nodes):
        row = graph.predecessors(node).tolist()
        assert node - width in row
        assert set(row) <= set(whole.predecessors(node).tolist())
    assert np.array_equal(Workload(**options, density=1.0).graph().indices, whole.indices)


@pytest.mark.parametrize("pattern", SYNTHETIC)
def test_only_the_drawn_patterns_depend_on_the_seed(pattern):
    workload = Workload(pattern=pattern, nodes=500, width=20, fan_in=5)
    other = replace(workload, seed=1).graph().content_hash()
    assert (workload.graph().content_hash() != other) == (pattern in DRAWN)


def test_density_depends_on_the_seed():
    hashes = {
        Workload(nodes=500, width=20, density=0.1, seed=seed).graph().content_hash()
        for seed in range(5)
    }
    assert len(hashes) == 5


@pytest.mark.parametrize("pattern", SYNTHETIC)
def test_a_width_beyond_the_nodes_is_one_step(pattern):
    graph = Workload(pattern=pattern, nodes=5, width=2**31 - 1, fan_in=2).graph()
    assert graph.nodes == 5
    if pattern not in {"chain", "dom", "tree", "fan_out_in"}:
        assert graph.edges == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "7f7338cbe44a28b887a5a74e8e2356d0"),
        ({"nodes": 1000, "jump": 3, "fan_in": 4, "seed": 7}, "1124eeffb5f62a8bfa730a3ee36ccfd0"),
        ({"nodes": 1000, "density": 0.05, "seed": 7}, "ac40b282150ceae0011cdfb9673864b0"),
        ({"pattern": "fft", "nodes": 1000}, "5e08fcbebcc46d89c3f4542b602a976d"),
        (
            {"pattern": "random_nearest", "nodes": 1000, "fan_in": 9, "seed": 3},
            "35ca272153300417bce50f9afe3bf06a",
        ),
    ],
)
def test_content_hash_is_the_same_everywhere_and_for_ever(options, expected):
    assert Workload(**options).graph().content_hash() == expected


@pytest.mark.parametrize(
    "options",
    [
        {"pattern": "all_to_all", "nodes": 10_000_000, "width": 100_000},
        {"nodes": 10_000_000, "width": 100_000, "density": 0.5},
    ],
)
def test_more_edges_than_can_be_numbered_are_refused(options):
    with pytest.raises(InvalidWorkloadError, match="edges"):
        Workload(**options).graph()
