"""Graphs as arrays: the rules they keep, and their structure against nx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_workloads import CyclicGraphError, Graph, InvalidGraphError, Workload
from noob_workloads import graph as module
from noob_workloads.graph import in_dependency_order


def graph_of(rows):
    return Graph(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([source for row in rows for source in row], dtype=np.int32),
    )


@st.composite
def rows(draw, most=25):
    count = draw(st.integers(1, most))
    return [
        sorted(draw(st.sets(st.integers(0, node - 1), max_size=5))) if node else []
        for node in range(count)
    ]


@pytest.mark.parametrize("narrow", [0, 10**9], ids=["by wave", "by node"])
@given(rows=rows(), data=st.data())
def test_structure_is_what_networkx_says(narrow, rows, data):
    seconds = data.draw(
        st.lists(st.integers(0, 1000), min_size=len(rows), max_size=len(rows)), label="seconds"
    )
    network = nx.DiGraph()
    network.add_nodes_from(range(len(rows)))
    network.add_edges_from(
        (s, node, {"w": seconds[s]}) for node, row in enumerate(rows) for s in row
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_NARROW", narrow)
        structure = graph_of(rows).structure(seconds)
    generations = list(nx.topological_generations(network))
    assert structure.nodes == len(rows)
    assert structure.edges == network.number_of_edges()
    assert structure.depth == len(generations)
    assert structure.width == max(map(len, generations))
    assert structure.work == sum(seconds)
    finish = {}
    for node, row in enumerate(rows):
        finish[node] = seconds[node] + max((finish[s] for s in row), default=0)
    assert structure.span == max(finish.values())
    path = structure.critical_path
    assert nx.is_path(network, path) or len(path) == 1
    if structure.span:
        assert sum(seconds[node] for node in path) == structure.span
        assert structure.parallelism == structure.work / structure.span
    else:
        assert len(path) == structure.depth
        assert structure.parallelism == structure.nodes / structure.depth


def test_structure_without_durations_counts_nodes():
    structure = Workload(pattern="no_comm", nodes=40, width=4).graph().structure()
    assert (structure.depth, structure.width, structure.parallelism) == (10, 4, 4.0)
    assert (structure.work, structure.span) == (0.0, 0.0)
    assert structure.critical_path == tuple(range(0, 40, 4))


@given(rows=rows())
def test_sinks_are_what_nothing_depends_on(rows):
    used = {source for row in rows for source in row}
    assert graph_of(rows).sinks().tolist() == [n for n in range(len(rows)) if n not in used]


@given(first=rows(most=6), second=rows(most=6))
def test_content_hash_tells_graphs_apart(first, second):
    same = graph_of(first).content_hash() == graph_of(second).content_hash()
    assert same == (first == second)


def test_an_empty_graph_has_a_structure():
    structure = graph_of([]).structure()
    assert (structure.nodes, structure.depth, structure.width) == (0, 0, 0)
    assert structure.critical_path == ()


def test_arrays_become_read_only():
    graph = graph_of([[], [0]])
    with pytest.raises(ValueError, match="read-only"):
        graph.indices[0] = 1


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([], [], "indptr must run"),
        ([0, 1], [], "indptr must run"),
        ([1, 1], [0], "indptr must run"),
        ([0, 1, 0, 1], [0], "descend"),
        ([0, 0, 2], [0, 0], "ascend"),
        ([0, 0, 0, 2], [1, 0], "ascend"),
        ([0, 0, 1], [-1], "ascend"),
        ([0, 1], [0], "node 0 depends on itself"),
        ([0, 0, 1, 2], [0, 2], "node 2 depends on itself"),
        ([0, 1, 1], [1], "node 0 depends on itself or on a later node"),
    ],
)
def test_arrays_that_are_no_graph_are_refused(indptr, indices, message):
    with pytest.raises(InvalidGraphError, match=message):
        Graph(np.array(indptr, dtype=np.int64), np.array(indices, dtype=np.int32))


def test_other_types_of_array_are_refused():
    with pytest.raises(InvalidGraphError, match="int64 and indices int32, got int32"):
        Graph(np.array([0], dtype=np.int32), np.array([], dtype=np.int32))


def test_extras_must_fit_the_nodes():
    with pytest.raises(InvalidGraphError, match="2 names given for 1 nodes"):
        Graph(np.array([0, 0]), np.array([], dtype=np.int32), names=("a", "b"))


@pytest.mark.parametrize("durations", [[1.0], [1.0, -1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_durations_that_are_none_are_refused(durations):
    with pytest.raises(InvalidGraphError, match="durations must be 2 finite"):
        graph_of([[], [0]]).structure(durations)


@given(rows=rows(), data=st.data())
def test_any_order_becomes_dependency_order(rows, data):
    order = data.draw(st.permutations(range(len(rows))), label="order")
    place = {node: position for position, node in enumerate(order)}
    names = [f"task{node}" for node in order]
    shuffled = [{place[source] for source in rows[node]} for node in order]
    graph = in_dependency_order(shuffled, names, [float(node) for node in order])
    original = [int(name.removeprefix("task")) for name in graph.names]
    assert sorted(original) == list(range(len(rows)))
    assert graph.durations.tolist() == original
    for node, mine in enumerate(original):
        assert {original[source] for source in graph.predecessors(node)} == set(rows[mine])


def test_a_cycle_is_spelled_out():
    with pytest.raises(CyclicGraphError, match=r"cycle: a -> b -> c -> a$"):
        in_dependency_order([{2, 3}, {0}, {1}, set(), {2}], list("abcde"))
