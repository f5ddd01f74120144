"""Import of workflows from files: both layouts, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_workloads import CyclicGraphError, Graph, InvalidWfFormatError, from_wfformat

DATA = Path(__file__).parent / "data"


def rows_of(graph):
    return [graph.predecessors(node).tolist() for node in range(graph.nodes)]


@pytest.mark.parametrize("version", ["1.4", "1.5"])
def test_both_layouts_give_the_same_workflow(version):
    graph = from_wfformat(DATA / f"wfformat-{version}.json")
    assert graph.names == ("ID1", "ID2", "ID3", "ID4")
    assert rows_of(graph) == [[], [0], [0], [1, 2]]
    assert graph.durations.tolist() == [1.0, 2.0, 0.0, 4.0]


@pytest.fixture(name="write")
def _write(tmp_path):
    def write(content):
        path = tmp_path / "workflow.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def old(*tasks):
    return {"schemaVersion": "1.4", "workflow": {"tasks": list(tasks)}}


def test_tasks_without_identifiers_go_by_name(write):
    graph = from_wfformat(write(old({"name": "b", "parents": ["a"]}, {"name": "a"})))
    assert graph.names == ("a", "b")
    assert rows_of(graph) == [[], [0]]
    assert graph.durations is None


def test_children_alone_are_enough(write):
    graph = from_wfformat(write(old({"name": "a", "children": ["b"]}, {"name": "b"})))
    assert rows_of(graph) == [[], [0]]


def test_a_workflow_without_execution_has_no_durations(write):
    document = {"workflow": {"specification": {"tasks": [{"id": "a", "parents": []}]}}}
    assert from_wfformat(write(document)).durations is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"1" * 5_000, "not JSON"),
        ([], "the document has no 'workflow' that is an object"),
        ({"workflow": []}, "the document has no 'workflow' that is an object"),
        ({"workflow": {}}, "'workflow' has no 'tasks' that is a list"),
        ({"workflow": {"specification": 1}}, "'workflow' has no 'specification'"),
        ({"workflow": {"specification": {}}}, "'workflow.specification' has no 'tasks'"),
        (
            {"workflow": {"specification": {"tasks": []}, "execution": {}}},
            "'workflow.execution' has no 'tasks'",
        ),
        (old(), "it has no tasks"),
        (old(1), "task 0 has no 'name' that is a string"),
        (old({"id": 1}), "task 0 has no 'id' that is a string"),
        (old({"id": "a"}, {"id": "a"}), "two tasks are called 'a'"),
        (old({"id": "a", "parents": "b"}), "task 'a' has no 'parents' that is a list"),
        (old({"id": "a", "parents": ["b"]}), "'a' names 'b' among its parents: no such task"),
        (old({"id": "a", "children": [{}]}), "'a' names {} among its children: no such task"),
        (
            old({"id": "a", "name": "x"}, {"id": "b", "name": "x"}, {"id": "c", "parents": ["x"]}),
            "'c' names 'x' among its parents",
        ),
        (old({"id": "a", "runtimeInSeconds": -1}), "run time of 'a' is not a number of seconds"),
        (old({"id": "a", "runtimeInSeconds": "1"}), "run time of 'a' is not"),
        (old({"id": "a", "runtimeInSeconds": True}), "run time of 'a' is not"),
        (old({"id": "a", "runtimeInSeconds": float("nan")}), "run time of 'a' is not"),
        (old({"id": "a", "runtimeInSeconds": float("inf")}), "run time of 'a' is not"),
        (old({"id": "a", "runtimeInSeconds": 10**400}), "run time of 'a' is not"),
        (
            {
                "workflow": {
                    "specification": {"tasks": [{"id": "a"}]},
                    "execution": {"tasks": [{"id": "b"}]},
                }
            },
            "records a run of 'b': no such task",
        ),
    ],
)
def test_what_is_not_a_workflow_is_refused(write, content, message):
    path = write(content)
    with pytest.raises(InvalidWfFormatError) as caught:
        from_wfformat(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("document", "cycle"),
    [
        (old({"id": "a", "parents": ["a"]}), "a -> a"),
        (old({"id": "a", "parents": ["b"]}, {"id": "b", "parents": ["a"]}), "a -> b -> a"),
        (old({"id": "a", "parents": ["b"], "children": ["b"]}, {"id": "b"}), "a -> b -> a"),
    ],
)
def test_a_cycle_is_refused(write, document, cycle):
    with pytest.raises(CyclicGraphError, match=f"cycle: {cycle}"):
        from_wfformat(write(document))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_wfformat(tmp_path / "none.json")


def test_a_truncated_file_is_refused_wherever_it_ends(write):
    whole = (DATA / "wfformat-1.5.json").read_bytes().rstrip()
    for end in range(len(whole)):
        with pytest.raises(InvalidWfFormatError):
            from_wfformat(write(whole[:end]))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from("abc")
KEYS = st.sampled_from(["id", "name", "parents", "children", "runtimeInSeconds"])
TASKS = st.lists(
    SCALARS | st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=3), max_size=5), max_size=4
)


@given(tasks=TASKS, recorded=TASKS, layout=st.booleans())
def test_any_document_is_a_graph_or_one_clear_error(tmp_path_factory, tasks, recorded, layout):
    document = old(*tasks)
    if layout:
        parts = {"specification": {"tasks": tasks}, "execution": {"tasks": recorded}}
        document = {"workflow": parts}
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        result = from_wfformat(path)
    except (InvalidWfFormatError, CyclicGraphError) as error:
        result = str(error)
    assert isinstance(result, Graph) or result.startswith(str(path))
