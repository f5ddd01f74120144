"""What CompiledRunner promises beyond the contract."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from noob import Epoch, Name, SynchronousRunner, Tube
from noob.event import MetaSignal
from noob.store import EventStore

from noob_runners import CompiledRunner, IndexedTube, StalledEpochError, components
from noob_runners.store import OnPlan
from noob_runners.testing.spec import given, node, tube

if TYPE_CHECKING:
    from collections.abc import Callable

CHAIN = {
    "a": node("nodes.count"),
    "b": node("nodes.mix", "a.value"),
    "r": node("return", last="b.value"),
}


@pytest.fixture(params=["native", "twins"])
def load(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a CompiledRunner of nodes, on the native components and on their twins."""
    if request.param == "twins":
        request.getfixturevalue("twins")
    elif not components.NATIVE:
        pytest.skip("noob_fast is not installed, or NOOB_FAST=0 is set")

    def loaded(**nodes: Any) -> CompiledRunner:
        return CompiledRunner(IndexedTube.from_specification(tube(**nodes)))

    return loaded


def expected(**nodes: Any) -> SynchronousRunner:
    return SynchronousRunner(Tube.from_specification(tube(**nodes)))


class Pair(Sequence[Any]):
    """A sequence that NOOB does not know."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, at: Any) -> Any:
        return self.items[at]

    def __len__(self) -> int:
        return len(self.items)


RETURNED: dict[str, Any] = {}


def returned(key: str) -> Any:
    """Return what a test has put there."""
    return RETURNED[key]


def received(value: Any) -> Any:
    """Keep what came in, and pass it on."""
    RETURNED.setdefault("received", []).append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        True,
        1.5,
        "text",
        b"bytes",
        MetaSignal.NoEvent,
        MetaSignal.Exhausted,
        str(MetaSignal.NoEvent.value),
        {},
        {"id": 1},
        [],
        (),
        [{}],
        ({"id": 1},),
        [[{"id": 1}]],
        Pair(),
        Pair(1, 2),
        range(3),
        {1, 2},
    ],
    ids=repr,
)
def test_any_value_passes_as_it_does_in_noob(load: Any, value: Any) -> None:
    RETURNED["any"] = value
    nodes = {
        "a": {"type": f"{__name__}.returned", "params": {"key": "any"}},
        "b": {"type": f"{__name__}.received", "depends": ["a.value"]},
        "r": node("return", b="b.value"),
    }
    seen = []
    for runner in (expected(**nodes), load(**nodes)):
        RETURNED["received"] = []
        result = runner.process()
        events = [(e["node_id"], e["signal"], e["value"]) for e in runner.store.flat_events]
        seen.append((result, RETURNED["received"], events, runner.tube.scheduler.exhausted))
    assert seen[1] == seen[0]


def test_the_same_object_is_passed_on(load: Any) -> None:
    RETURNED["object"] = value = object()
    runner = load(
        a={"type": f"{__name__}.returned", "params": {"key": "object"}},
        r=node("return", depends="a.value"),
    )
    assert runner.process() is value
    assert runner.store.get("a", "value", Epoch(0))["value"] is value


def test_a_missing_value_of_several_stalls_the_epoch(load: Any) -> None:
    nodes = {
        "f": {"type": f"{__name__}.short"},
        "b": node("nodes.mix", "f.second"),
        "r": node("return", b="b.value"),
    }
    runner = load(**nodes)
    with pytest.raises(StalledEpochError, match=r"f\.second"):
        runner.process()
    with pytest.raises(StalledEpochError, match="Epoch 1 cannot end"):
        runner.process()


def test_after_an_exception_the_next_epoch_runs(load: Any) -> None:
    runner = load(
        a=node("nodes.count"),
        b={"type": f"{__name__}.fails_at_one", "depends": ["a.value"]},
        c=node("nodes.mix", "a.value"),
        r=node("return", b="b.value", c="c.value"),
    )
    first = runner.process()
    with pytest.raises(LookupError, match="one") as raised:
        runner.process()
    assert raised.value.__notes__ == ["in node 'b', epoch 1"]
    second = runner.process()
    assert (first["b"], second["b"]) == (0, 2)
    assert runner.tube.scheduler.epoch_log == {0, 1, 2}


def test_events_are_made_when_they_are_read(load: Any) -> None:
    runner = load(**CHAIN)
    runner.process()
    store = runner.store
    event = store.get("b", "value", Epoch(0))
    assert store.get("b", "value", Epoch(0)) is event
    assert [e["node_id"] for e in store.flat_events] == ["a", "b", "r"]
    assert store.events[Epoch(0)]["b"]["value"] == [event]
    stamps = [e["timestamp"] for e in store.flat_events]
    assert stamps == sorted(stamps)
    assert all(stamp.tzinfo is not None for stamp in stamps)
    assert len({e["id"] for e in store.flat_events}) == 3
    runner.process()
    assert store.get("b", "value", -1)["epoch"] == Epoch(1)
    with pytest.raises(KeyError, match="No event found"):
        store.get("b", "value", Epoch(0))


def test_a_store_of_the_callers_is_filled(load: Any) -> None:
    loaded = load(**CHAIN).tube
    store = EventStore()
    runner = CompiledRunner(loaded, store=store)
    assert not runner.native
    runner.process()
    assert [event["node_id"] for event in store.flat_events] == ["a", "b", "r"]


def test_values_of_an_epoch_are_let_go_by_the_next(load: Any) -> None:
    class Large:
        pass

    runner = load(
        a={"type": f"{__name__}.returned", "params": {"key": "large"}},
        b={"type": f"{__name__}.received", "depends": ["a.value"]},
    )
    RETURNED["large"] = large = Large()
    runner.process()
    gone = weakref.ref(large)
    RETURNED.update(large=None, received=[])
    del large
    runner.process()
    assert gone() is None


def test_a_runner_and_its_tube_are_let_go(load: Any) -> None:
    runner = load(**CHAIN)
    runner.process()
    gone = weakref.ref(runner), weakref.ref(runner.tube)
    del runner
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_inputs_reach_plain_nodes(load: Any) -> None:
    runner = load(
        inputs={"x": given("process"), "y": given("process", required=False, default=7)},
        a=node("nodes.mix", "input.x", "input.y"),
        r=node("return", depends="a.value"),
    )
    stock = expected(
        inputs={"x": given("process"), "y": given("process", required=False, default=7)},
        a=node("nodes.mix", "input.x", "input.y"),
        r=node("return", depends="a.value"),
    )
    for inputs in ({"x": 1}, {"x": 2, "y": 3}):
        assert runner.process(**inputs) == stock.process(**inputs)


def test_a_callback_added_later_is_called(load: Any) -> None:
    runner = load(**CHAIN)
    runner.process()
    seen: list[Any] = []
    runner.add_callback(seen.append)
    runner.process()
    assert [event["node_id"] for event in seen] == ["a", "b", "r", "meta"]


def test_a_step_that_was_replaced_is_taken(load: Any) -> None:
    called = []

    class Watching(CompiledRunner):
        def _call_node(self, node: Any, *args: Any, **kwargs: Any) -> Any:
            called.append(node.id)
            return super()._call_node(node, *args, **kwargs)

    made = load(**CHAIN)
    runner = Watching(made.tube)
    assert not runner.native
    result = runner.process()
    assert called == ["a", "b", "r"]
    assert made.process() != result  # the second epoch of the same tube
    made._get_node = lambda node_id: called.append(node_id) or made.tube.nodes[node_id]
    made.process()
    assert called == ["a", "b", "r"] * 2


@pytest.mark.parametrize("kind", ["max", "int", "dict"])
def test_what_noob_cannot_call_fails_as_in_noob(load: Any, kind: str) -> None:
    nodes = {"a": node("nodes.count"), "b": {"type": kind, "depends": ["a.value"]}}
    stock, ours = expected(**nodes), load(**nodes)
    with pytest.raises(Exception) as theirs:  # noqa: PT011 (which one is the question)
        stock.process()
    with pytest.raises(type(theirs.value)) as got:
        ours.process()
    assert str(got.value) == str(theirs.value)


def test_native_says_what_drives(load: Any, request: pytest.FixtureRequest) -> None:
    assert load(**CHAIN).native == ("twins" not in request.node.name)
    assert isinstance(load(**CHAIN).store, OnPlan)


def test_interrupted_epochs_are_given_up(load: Any) -> None:
    runner = load(
        a={"type": f"{__name__}.interrupts", "params": {}}, r=node("return", depends="a.value")
    )
    assert runner.run(n=3) is None  # as SynchronousRunner: a Ctrl-C ends the run quietly
    assert runner.tube.scheduler.epoch_log == {0}


def short() -> Any:
    """Emits one value for two signals."""
    return (1,)


# NOOB reads the annotation itself, and this module's are strings
short.__annotations__["return"] = tuple[
    Annotated[int, Name("first")], Annotated[int, Name("second")]
]


def fails_at_one(value: int) -> int:
    if value == 1:
        raise LookupError("one")
    return value


def interrupts() -> int:
    raise KeyboardInterrupt
