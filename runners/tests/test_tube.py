"""IndexedTube loads, refuses and looks up as Tube does."""

from __future__ import annotations

import gc
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noob import SynchronousRunner, Tube
from pydantic import ValidationError

from noob_runners import CompiledRunner, IndexedTube, UnknownSignalError
from noob_runners.scheduler import IndexedScheduler
from noob_runners.testing import cases
from noob_runners.testing.observation import load
from noob_runners.testing.spec import node, tube


def refusal(tube_class: type[Tube], spec: Any) -> Exception | None:
    try:
        tube_class.from_specification(deepcopy(spec))
    except Exception as error:  # noqa: BLE001 (which one is the question)
        return error
    return None


CHAIN = {"a": node("nodes.count"), "b": node("nodes.mix", "a.value")}
REFUSED: dict[str, Any] = {
    "an unknown node": tube(**CHAIN, c=node("nodes.mix", "nowhere.value")),
    "an unknown function": tube(a=node("nodes.nothing_of_that_name")),
    "an unknown module": tube(a={"type": "no_such_module.function"}),
    "a type that is no name": tube(a={"type": "not a name"}),
    "two returns": tube(
        **CHAIN, r=node("return", depends="a.value"), s=node("return", depends="b.value")
    ),
    "an unknown key": tube(a={"type": "noob_runners.testing.nodes.count", "colour": "red"}),
    "an unknown asset": tube(a=node("nodes.mix", "assets.nothing")),
    "an unknown input": tube(a=node("nodes.mix", "input.nothing")),
    "a dependency without a signal": tube(**CHAIN, c=node("nodes.mix", "a")),
    "a slot used twice": tube(
        **CHAIN,
        c={
            "type": "noob_runners.testing.nodes.mix",
            "depends": [{"x": "a.value"}, {"x": "b.value"}],
        },
    ),
    "no dictionary of nodes": {"noob_id": "x", "nodes": ["a", "b"]},
    "not a specification": 17,
    "no specification": None,
    "an id that nobody has": "no-such-tube-anywhere",
    "maps that meet": tube(
        s=node("nodes.lists"),
        t=node("nodes.lists"),
        m=node("map", value="s.value"),
        n=node("map", value="t.value"),
        a=node("nodes.mix", "m.value", "n.value"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_tube_refuses_is_refused_with_the_same_error(what: str) -> None:
    expected, got = refusal(Tube, REFUSED[what]), refusal(IndexedTube, REFUSED[what])
    assert expected is not None
    assert type(got) is type(expected)
    assert str(got).replace("IndexedTube", "Tube") == str(expected)


CYCLE = tube(
    s=node("nodes.count"),
    a=node("nodes.mix", "s.value", "c.value"),
    b=node("nodes.mix", "a.value"),
    c=node("nodes.mix", "b.value"),
)


def test_a_cycle_is_refused_as_tube_does_but_named() -> None:
    expected, got = refusal(Tube, CYCLE), refusal(IndexedTube, CYCLE)
    assert isinstance(expected, ValidationError)
    assert isinstance(got, ValidationError)
    first, theirs = got.errors()[0], expected.errors()[0]
    assert (first["type"], first["loc"]) == (theirs["type"], theirs["loc"])
    named = first["msg"].split("cycle: ")[1].split(" -> ")
    assert named[0] == named[-1]
    assert set(named) == {"a", "b", "c"}


def test_a_cycle_through_a_disabled_node_is_none() -> None:
    spec = deepcopy(CYCLE)
    spec["nodes"]["b"]["enabled"] = False
    assert refusal(Tube, spec) is None
    assert refusal(IndexedTube, spec) is None


@pytest.mark.parametrize("source", ["nodes.count", "classes.Plain"])
def test_a_signal_that_cannot_be_emitted_is_refused(source: str) -> None:
    spec = tube(
        s=node("nodes.count"),
        a=node(source, *(["s.value"] if source != "nodes.count" else [])),
        b=node("nodes.mix", "a.nonsense"),
    )
    with pytest.raises(UnknownSignalError, match=r"b depends on a\.nonsense") as raised:
        IndexedTube.from_specification(deepcopy(spec))
    assert isinstance(raised.value, ValueError)
    spec["nodes"]["b"]["enabled"] = False
    assert "b" in IndexedTube.from_specification(spec).nodes


def test_nothing_is_started_by_a_tube_that_is_refused() -> None:
    assert gc.isenabled()
    assert refusal(IndexedTube, CYCLE) is not None
    assert gc.isenabled()


@pytest.mark.parametrize("case", [case for case in cases() if not case.name.startswith("refused")])
def test_edges_are_looked_up_as_tube_does(case: Any) -> None:
    try:
        expected = load(case)
    except Exception:  # noqa: BLE001 (a case about what is refused)
        return
    got = load(case, IndexedTube)
    for node_id in expected.nodes:
        for look_up in ("in_edges", "out_edges"):
            theirs = getattr(expected, look_up)(node_id)
            assert getattr(got, look_up)(node_id) == theirs
            assert getattr(got, look_up)(got.nodes[node_id]) == theirs


def test_edges_that_were_changed_are_seen() -> None:
    loaded = IndexedTube.from_specification(tube(**CHAIN))
    edge = loaded.in_edges("b")[0]
    loaded.in_edges("b").clear()
    assert loaded.in_edges("b") == [edge]
    loaded.edges.append(edge)
    assert loaded.in_edges("b") == [edge, edge]
    loaded.edges = []
    assert loaded.in_edges("b") == []
    assert loaded.out_edges("nowhere") == []


def test_a_tube_made_by_hand_gets_a_scheduler() -> None:
    loaded = IndexedTube.from_specification(tube(**CHAIN))
    parts = {"tube_id": "x", "nodes": loaded.nodes, "edges": loaded.edges, "scheduler": None}
    made = IndexedTube(**parts, spec=loaded.spec)
    assert isinstance(made.scheduler, IndexedScheduler)
    with pytest.raises(ValidationError, match="Must pass a tube specification"):
        IndexedTube(**parts)


def test_a_stock_tube_that_has_run_keeps_its_scheduler() -> None:
    stock = Tube.from_specification(tube(**CHAIN, r=node("return", depends="a.value")))
    SynchronousRunner(stock).process()
    kept = stock.scheduler
    runner = CompiledRunner(stock)
    assert stock.scheduler is kept
    assert not runner.native
    assert runner.process() == 1


@st.composite
def map_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Tubes of maps and functions, each downstream of up to three before it."""
    nodes: dict[str, Any] = {"n0": node("nodes.lists")}
    for number in range(1, draw(st.integers(1, 9))):
        sources = draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, max_size=3))
        depends = [f"{source}.value" for source in dict.fromkeys(sources)]
        is_map = draw(st.booleans())
        nodes[f"n{number}"] = (
            node("map", value=depends[0]) if is_map else node("nodes.mix", *depends)
        )
    return tube(**nodes)


@settings(max_examples=200, deadline=None)
@given(spec=map_graphs())
def test_maps_are_refused_as_tube_does(spec: dict[str, Any]) -> None:
    expected, got = refusal(Tube, spec), refusal(IndexedTube, spec)
    assert type(got) is type(expected)
    assert str(got) == str(expected)
