"""FastEventStore, on the native core and on its twin, against NOOB's EventStore."""

from __future__ import annotations

import copy
import gc
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noob import Epoch
from noob.edge import Edge
from noob.event import MetaSignal
from noob.store import EventStore

sys.path.append(str(Path(__file__).parent))
from event_store_help import MAKER, ONE, TWO, seen, stores

_ROOTS = [Epoch(at) for at in range(3)]
_SUBS = _ROOTS[1].make_subepochs("m", 2)
EPOCHS = [*_ROOTS, *_SUBS, *_SUBS[0].make_subepochs("k", 2)]
NODES = ["a", "b", "c"]


def held(store: EventStore) -> dict[Any, Any]:
    """What `events` shows, the order of its keys included; what is empty is not there."""
    return {
        epoch: {
            node: {
                name: [seen(event) for event in found] for name, found in signals.items() if found
            }
            for node, signals in nodes.items()
            if any(signals.values())
        }
        for epoch, nodes in store.events.items()
        if any(found for signals in nodes.values() for found in signals.values())
    }


def tidy(store: EventStore) -> None:
    """Remove what NOOB's store has only because it was looked for."""
    if type(store) is EventStore:
        for epoch, nodes in list(store.events.items()):
            for node, signals in list(nodes.items()):
                for name in [name for name, found in signals.items() if not found]:
                    del signals[name]
                if not signals:
                    del nodes[node]
            if not nodes:
                del store.events[epoch]


def attempt(store: Any, name: str, *arguments: Any) -> Any:
    """What a call gives or raises."""
    try:
        result = getattr(store, name)(*arguments)
    except KeyError as error:
        return repr(error)
    finally:
        tidy(store)
    if name == "get":
        return seen(result)
    return [seen(event) for event in result] if name == "add_value" else None


events = st.builds(
    lambda node, signal, epoch, value: MAKER.new_event(value, epoch, node, signal),
    st.sampled_from(NODES),
    st.sampled_from(["value", "x", "other"]),
    st.sampled_from(EPOCHS),
    st.integers(0, 9),
)
values = st.one_of(
    st.integers(0, 9),
    st.sampled_from([None, "text", MetaSignal.NoEvent, {"id": 1}, [], (), [1], [{}]]),
    events,
    st.lists(events, min_size=1, max_size=3),
)
steps = st.one_of(
    st.tuples(st.just("add"), events),
    st.tuples(
        st.just("add_value"), st.just(ONE), values, st.sampled_from(NODES), st.sampled_from(EPOCHS)
    ),
    st.tuples(
        st.just("add_value"),
        st.just(TWO),
        st.lists(values, min_size=1, max_size=3),
        st.sampled_from(NODES),
        st.sampled_from(EPOCHS),
    ),
    st.tuples(
        st.just("get"),
        st.sampled_from([*NODES, "unknown"]),
        st.sampled_from(["value", "x", "y"]),
        st.sampled_from([-1, *EPOCHS]),
    ),
    st.tuples(st.just("clear"), st.sampled_from(EPOCHS)),
    st.tuples(st.just("clear")),
    st.tuples(st.just("look")),
)


@stores
@settings(max_examples=150, deadline=None)
@given(todo=st.lists(steps, max_size=25))
def test_it_answers_as_noobs(make: Any, todo: list[tuple[Any, ...]]) -> None:
    ours, noobs = make(), EventStore()
    for name, *arguments in todo:
        if name == "look":
            assert held(ours) == held(noobs)
            assert [list(nodes) for nodes in held(ours).values()] == [
                list(nodes) for nodes in held(noobs).values()
            ]
            assert list(held(ours)) == list(held(noobs))
        else:
            assert attempt(ours, name, *arguments) == attempt(noobs, name, *arguments)
    assert held(ours) == held(noobs)
    assert [seen(it) for it in ours.flat_events] == [seen(it) for it in noobs.flat_events]
    numbers = [event["id"] for event in ours.iter()]
    assert len(set(numbers)) == len(numbers)
    edges = [
        Edge(source_node=node, source_signal=signal, target_node="t", target_slot=f"{node}{signal}")
        for node in NODES
        for signal in ("value", "x")
    ]
    for epoch in EPOCHS:
        assert ours.collect(edges, epoch) == noobs.collect(edges, epoch)
        tidy(noobs)


@stores
def test_events_are_noobs_events(make: Any) -> None:
    store, noobs = make(), EventStore()
    (ours,) = store.add_value(ONE, 5, "a", Epoch(0))
    (theirs,) = noobs.add_value(ONE, 5, "a", Epoch(0))
    assert list(ours) == list(theirs)
    assert {key: type(value) for key, value in ours.items()} == {
        key: type(value) for key, value in theirs.items()
    }
    assert ours["timestamp"].tzinfo is theirs["timestamp"].tzinfo
    assert abs((ours["timestamp"] - theirs["timestamp"]).total_seconds()) < 60
    assert ours is store.get("a", "value", Epoch(0)) is store.flat_events[0]
    assert isinstance(store, EventStore)


@stores
def test_what_was_added_reads_as_a_sequence(make: Any) -> None:
    store = make()
    added = store.add_value(TWO, (1, 2), "a", Epoch(0))
    assert isinstance(added, Sequence)
    assert len(added) == 2
    assert added[1] is store.get("a", "y", Epoch(0))
    assert added[:1] == [store.get("a", "x", Epoch(0))]
    assert added == list(added) == store.flat_events
    assert added != []
    assert repr(added) == repr(list(added))
    store.clear()
    assert [event["value"] for event in added] == [1, 2]
    assert store.flat_events == []
    with pytest.raises(IndexError):
        added[2]


@stores
def test_batches_are_as_single_calls(make: Any) -> None:
    store, epoch = make(), Epoch(4)
    store.add_many(["a", "b", "a"], "value", [1, 2, 3], epoch)
    store.add_many(["a", "b"], ["x", "y"], (4, [{"id": 0}]), epoch)
    assert [(*seen(event)[:2], event["value"]) for event in store.iter()] == [
        ("a", "value", 1),
        ("a", "value", 3),
        ("a", "x", 4),
        ("b", "value", 2),
        ("b", "y", [{"id": 0}]),
    ]
    assert store.get_many(["b", "a", "a"], "value", epoch) == [2, 3, 3]
    assert store.get_many(("a", "b"), ("x", "y"), -1) == [4, [{"id": 0}]]
    below = epoch.make_subepochs("m", 1)[0]
    store.add_many(["b"], "value", [9], below)
    assert store.get_many(["b", "a"], "value", below) == [9, 3]
    with pytest.raises(KeyError, match="node_id: c, signal: value, epoch: 4"):
        store.get_many(["a", "c"], "value", epoch)
    with pytest.raises(ValueError, match="2 values for 3 nodes"):
        store.add_many(["a", "b", "c"], "value", [1, 2], epoch)
    with pytest.raises(ValueError, match="1 signals for 2 nodes"):
        store.get_many(["a", "b"], ["value"], epoch)


@stores
def test_names_are_texts(make: Any) -> None:
    class Name(str):
        __slots__ = ()

    store = make()
    store.add_value({Name("value"): None}, 1, Name("a"), Epoch(0))
    assert store.get("a", "value", Epoch(0))["value"] == 1
    with pytest.raises(TypeError, match=r"node_id is a str, not .*: 3"):
        store.add_value(ONE, 1, 3, Epoch(0))


@stores
def test_events_can_be_replaced(make: Any) -> None:
    store, other = make(), EventStore()
    store.add_value(ONE, 1, "a", Epoch(0))
    other.add_value(ONE, 2, "b", Epoch(1))
    store.events = other.events
    assert held(store) == held(other)
    assert store.flat_events[0] is other.flat_events[0]


@stores
def test_values_are_let_go(make: Any) -> None:
    class Thing:
        pass

    store, thing = make(), Thing()
    gone = weakref.ref(thing)
    store.add_value(ONE, thing, "a", Epoch(0))
    store.get("a", "value", Epoch(0))
    thing.store = store  # type: ignore[attr-defined]
    store.clear(Epoch(0))
    del thing
    gc.collect()
    assert gone() is None
    thing = Thing()
    gone = weakref.ref(thing)
    thing.store = store  # type: ignore[attr-defined]
    store.add_value(ONE, thing, "a", Epoch(0))
    del thing, store
    gc.collect()
    assert gone() is None


@stores
def test_numbers_are_no_epochs_but_for_the_latest(make: Any) -> None:
    store = make()
    store.add_value(ONE, 1, "a", Epoch(0))
    assert store.get("a", "value", -1)["value"] == 1
    for number in (0, -2, 7):
        with pytest.raises(TypeError, match=f"or -1 for the latest, not {number}"):
            store.get("a", "value", number)
    with pytest.raises(KeyError):
        store.get(3, "value", Epoch(0))


@stores
def test_texts_that_are_not_unicode_name_nodes(make: Any) -> None:
    store, odd = make(), "\ud800"
    store.add_value(ONE, 1, odd, Epoch(0))
    assert store.get(chr(0xD800), "value", Epoch(0))["value"] == 1


@stores
def test_what_was_added_can_be_copied(make: Any) -> None:
    added = make().add_value(TWO, (1, 2), "a", Epoch(0))
    assert copy.copy(added) == added
    assert isinstance(copy.copy(added), list)
    assert (added.index(added[1]), added.count(added[0])) == (1, 1)
    assert added[-1] is added[1]


@stores
def test_a_bad_replacement_changes_nothing(make: Any) -> None:
    store = make()
    store.add_value(ONE, 1, "a", Epoch(0))
    with pytest.raises(AttributeError):
        store.events = {Epoch(1): None}
    assert [event["value"] for event in store.iter()] == [1]
