"""FastEventStore, on the native core and on its twin, against NOOB's EventStore."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noob import Epoch
from noob.edge import Edge, Signal
from noob.event import EventMaker, MetaSignal
from noob.store import EventStore

from noob_runners import FastEventStore
from noob_runners.components import NATIVE, store_py
from noob_runners.event_store import DropIn, Eviction

Twin: Any = type("Twin", (DropIn, store_py.StoreCore, EventStore), {})
STORES = [
    pytest.param(
        FastEventStore,
        id="native",
        marks=pytest.mark.skipif(not NATIVE, reason="noob_fast is not installed, or NOOB_FAST=0"),
    ),
    pytest.param(Twin, id="twin"),
]
_ROOTS = [Epoch(at) for at in range(3)]
_SUBS = _ROOTS[1].make_subepochs("m", 2)
EPOCHS = [*_ROOTS, *_SUBS, *_SUBS[0].make_subepochs("k", 2)]
NODES = ["a", "b", "c"]
ONE = {"value": Signal(name="value", annotation=Any)}
TWO = {name: Signal(name=name, annotation=Any) for name in ("x", "y")}
_MAKER = EventMaker()

stores = pytest.mark.parametrize("make", STORES)


def seen(event: Any) -> tuple[Any, ...]:
    """An event but for its number and its time."""
    return (event["node_id"], event["signal"], event["epoch"], event["value"])


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
    lambda node, signal, epoch, value: _MAKER.new_event(value, epoch, node, signal),
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
def test_the_least_recently_used_epoch_goes(make: Any) -> None:
    gone: list[Eviction] = []
    store = make(max_events=4, on_evict=gone.append)
    for at in range(3):
        store.add_value(ONE, at, "a", Epoch(at))
    assert len(store.flat_events) == 3
    store.add_value(ONE, 10, "a", Epoch(0).make_subepochs("m", 1)[0])
    store.get("a", "value", Epoch(1))
    store.add_value(ONE, 3, "a", Epoch(3))
    assert gone == [Eviction(root=2, events=1, nbytes=0)]
    store.add_many(["a", "b"], "value", [4, 5], Epoch(4))
    assert gone[1:] == [Eviction(root=0, events=2, nbytes=0)]
    assert [seen(event)[2:] for event in store.iter()] == [
        (Epoch(1), 1),
        (Epoch(3), 3),
        (Epoch(4), 4),
        (Epoch(4), 5),
    ]
    with pytest.raises(KeyError, match="was dropped"):
        store.get("a", "value", Epoch(0))
    store.clear(Epoch(3))
    store.add_value(ONE, 6, "a", Epoch(5))
    assert len(gone) == 2


@stores
def test_who_is_told_of_a_dropped_epoch_may_raise(make: Any) -> None:
    def refuse(eviction: Eviction) -> None:
        raise LookupError(f"epoch {eviction.root}")

    store = make(max_events=2, on_evict=refuse)
    store.add_value(ONE, 0, "a", Epoch(0))
    store.add_value(ONE, 1, "a", Epoch(1))
    with pytest.raises(LookupError, match="epoch 0"):
        store.add_many(["a", "b"], "value", [2, 3], Epoch(2))
    assert [seen(event)[2:] for event in store.iter()] == [(Epoch(2), 2), (Epoch(2), 3)]
    with pytest.raises(KeyError, match="was dropped"):
        store.get("a", "value", Epoch(1))


@stores
def test_what_was_cleared_counts_no_more(make: Any) -> None:
    gone: list[Eviction] = []
    store = make(max_events=3, on_evict=gone.append)
    subs = Epoch(0).make_subepochs("m", 2)
    for epoch in (Epoch(0), *subs):
        store.add_value(ONE, 0, "a", epoch)
    store.clear(subs[0])
    store.add_value(ONE, 1, "a", Epoch(1))
    assert not gone
    store.clear(Epoch(0))
    store.add_many(["a", "b"], "value", [2, 3], Epoch(2))
    assert not gone
    store.add_value(ONE, 4, "a", Epoch(3))
    assert gone == [Eviction(root=1, events=1, nbytes=0)]


@stores
def test_bytes_are_bounded(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = make(max_bytes=1000)
    for at in range(3):
        store.add_value(ONE, np.zeros(50), "a", Epoch(at))
    assert [event["epoch"] for event in store.iter()] == [Epoch(1), Epoch(2)]
    assert "dropped epoch 0 (1 events, 400 bytes)" in caplog.text
    store.add_value(ONE, bytes(5000), "a", Epoch(2))
    assert [event["epoch"] for event in store.iter()] == [Epoch(2)] * 2
    with pytest.raises(ValueError, match="max_bytes must be at least 1, not 0"):
        make(max_bytes=0)


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
    assert gone() is None or gc.collect() >= 0
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
def test_threads_share_it(make: Any) -> None:
    store, threads, each = make(), 4, 300
    start = threading.Barrier(threads)
    failures: list[BaseException] = []

    def work(at: int) -> None:
        try:
            start.wait(30)
            for number in range(each):
                epoch = Epoch(number % 5)
                store.add_value(ONE, (at, number), f"n{at}", epoch)
                assert store.get(f"n{at}", "value", epoch)["value"] == (at, number)
                if number % 50 == 0:
                    assert len(store.flat_events) > 0
        except BaseException as error:  # noqa: BLE001 (it is raised below, by the test)
            failures.append(error)

    pool = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures, failures[0]
    found = sorted(event["value"] for event in store.iter())
    assert found == [(at, number) for at in range(threads) for number in range(each)]
    assert len({event["id"] for event in store.iter()}) == threads * each
