"""FastEventStore: bounds, packed values, failures, and threads that read meanwhile."""

from __future__ import annotations

import sys
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from noob import Epoch

from noob_runners.event_store import Eviction

sys.path.append(str(Path(__file__).parent))
from event_store_help import MAKER, ONE, seen, stores

if TYPE_CHECKING:
    from collections.abc import Callable


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


class Pack:
    """Stands for a value until it is opened, after something else has happened."""

    def __init__(self, value: Any, meanwhile: Callable[[], object] = int) -> None:
        self.value = value
        self.meanwhile = meanwhile

    def open(self) -> Any:
        self.meanwhile()
        return self.value


@stores
def test_values_are_opened_when_they_are_read(make: Any) -> None:
    store, epoch = make(packed=Pack), Epoch(0)
    store.add_many(["a", "b"], "value", [Pack(1), 2], epoch)
    below = epoch.make_subepochs("m", 1)[0]
    store.add_value(ONE, 3, "c", below)
    assert store.get_many(["a", "c"], "value", below) == [1, 3]
    assert store.get("a", "value", epoch)["value"] == 1
    block = store.open(Epoch(1), 2, hidden=False)
    block.supply(0, Pack(4))
    assert (block.get(0, None), block.get(1, "none")) == (4, "none")


@stores
def test_opening_may_change_the_store(make: Any) -> None:
    store, epoch = make(packed=Pack), Epoch(0)

    def refill() -> None:
        store.opened(epoch).clear()
        store.add_value(ONE, "new", "a", epoch)

    store.add_value(ONE, Pack("old", refill), "b", epoch)
    assert seen(store.get("b", "value", epoch)) == ("b", "value", epoch, "old")
    assert [seen(event) for event in store.iter()] == [("a", "value", epoch, "new")]
    block = store.open(Epoch(1), 1, hidden=False)
    block.put(0, Pack("old", lambda: block.put(0, "new")))
    assert block.get(0, None) in {"old", "new"}
    assert block.get(0, None) == "new"


@stores
def test_events_are_not_lost_to_one_that_cannot_be_opened(make: Any) -> None:
    def refuse() -> None:
        if refusing:
            raise LookupError("not now")

    store, refusing = make(packed=Pack), True
    for at in range(3):
        store.add_value(ONE, Pack(at, refuse if at == 1 else int), "a", Epoch(at))
    with pytest.raises(LookupError, match="not now"):
        _ = store.flat_events
    refusing = False
    assert [event["value"] for event in store.iter()] == [0, 1, 2]


@stores
def test_an_event_of_another_epoch_may_drop_this_one(make: Any) -> None:
    store = make(max_events=1, on_evict=lambda _: None)
    other = MAKER.new_event(9, Epoch(5), "b")
    three = dict.fromkeys("xyz")
    added = store.add_value(three, (1, other, 2), "a", Epoch(0))
    assert [event["value"] for event in added] == [1, 9, 2]
    assert [seen(event)[2:] for event in store.iter()] == [(Epoch(0), 2)]


@stores
def test_what_fails_to_be_added_leaves_no_trace(make: Any) -> None:
    class Odd:
        def __sizeof__(self) -> int:
            raise LookupError("of no size")

    gone: list[Eviction] = []
    store = make(max_events=2, max_bytes=10_000, on_evict=gone.append)
    for value, node in ((Odd(), "a"), (1, 3)):
        with pytest.raises((LookupError, TypeError)):
            store.add_value(ONE, value, node, Epoch(0))
    with pytest.raises(KeyError, match="epoch: -1"):
        store.get("a", "value", -1)
    with pytest.raises(KeyError, match="epoch: 0"):
        store.get_many(["a"], "value", Epoch(0))
    for at in (1, 2, 3):
        store.add_value(ONE, at, "a", Epoch(at))
    assert [eviction.root for eviction in gone] == [1]
    with pytest.raises(KeyError):
        store.get("b", "value", Epoch(2))  # which is no use of it
    store.add_value(ONE, 4, "a", Epoch(4))
    assert [eviction.root for eviction in gone] == [1, 2]


@stores
def test_threads_read_while_epochs_are_dropped(make: Any) -> None:
    store = make(max_events=20, on_evict=lambda _: None)
    stop, failures = threading.Event(), []

    def attempting(action: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            try:
                while not stop.is_set():
                    action()
            except BaseException as error:  # noqa: BLE001 (it is raised below, by the test)
                failures.append(error)

        return work

    numbers = count()
    actions = [
        lambda: store.add_value(ONE, 1, "a", Epoch(next(numbers) // 3)),
        lambda: store.flat_events,
        lambda: store.events,
    ]
    pool = [threading.Thread(target=attempting(action)) for action in actions]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in pool:
            thread.start()
        stop.wait(0.5)
        stop.set()
        for thread in pool:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in pool)
    assert not failures, failures[0]
    assert len(store.flat_events) <= 20 + 3
    assert store.flat_events == list(store.iter())


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
