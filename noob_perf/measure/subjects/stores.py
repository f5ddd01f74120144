"""Event stores: FastEventStore and its twin, NOOB's own, and a plain dictionary as the limit.

Events come in epochs of up to 10,000 nodes of one signal each, as a tube's do.
"""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noob_perf.errors import UnsupportedError
from noob_perf.measure.memory import peak_rss_bytes
from noob_perf.measure.subject import (
    Operation,
    Reading,
    Subject,
    expect,
    lacking,
    native,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob_perf.measure.subject import Case

ADD = "add_value, a call an event"
GET_FIRST = "get, the first time"
GET_AGAIN = "get, again"
ADD_MANY = "add_many"
GET_MANY = "get_many"
MEMORY = "memory of add_many and get_many"

SINGLE, BATCH, HELD = "events, one by one", "events in batches", "events held"
"""The kinds of cases."""

_NODES = 10_000
_SIGNAL = "value"


class _Store(Subject):
    """What all have in common: the events, and what must be read back."""

    def prepare(self) -> Mapping[str, Operation | str]:
        """Make the events of each epoch: names, values and the epoch itself."""
        from noob import Epoch  # noqa: PLC0415 - a cell of another component needs none

        size = self.case.size
        names = [f"n{node}" for node in range(min(_NODES, size))]
        self.epochs = []
        for at, first in enumerate(range(0, size, len(names))):
            values = list(range(first, min(first + len(names), size)))
            self.epochs.append((names[: len(values)], values, Epoch(at)))
        self.begin()
        if self.case.kind == SINGLE:
            return self.offer_single()
        if self.case.kind == BATCH:
            return self.offer_batches()
        return {MEMORY: self.offer_memory()}

    def begin(self) -> None:
        """Make what else is needed."""

    @abstractmethod
    def empty(self) -> Any:
        """Make an empty store."""

    @abstractmethod
    def add(self, store: Any) -> Any:
        """Add every event by a call of its own, and return the store."""

    @abstractmethod
    def get(self, store: Any) -> list[list[Any]]:
        """Read every event by a call of its own."""

    def add_many(self, store: Any) -> Any:
        """Add every event in the fastest way that the store has, and return the store."""
        return self.add(store)

    def get_many(self, store: Any) -> list[list[Any]]:
        """Read every value in the fastest way that the store has."""
        return self.values(self.get(store))

    def values(self, events: list[list[Any]]) -> list[list[Any]]:
        """Return the values of what `get` has returned."""
        return [[event["value"] for event in epoch] for epoch in events]

    def offer_single(self) -> Mapping[str, Operation | str]:
        def unread() -> Any:
            return self.add(self.empty())

        def read() -> Any:
            store = unread()
            self.get(store)
            return store

        def check(events: list[list[Any]]) -> None:
            self.check(self.values(events))

        return {
            ADD: Operation(self.add, lambda store: check(self.get(store)), self.empty),
            GET_FIRST: Operation(self.get, check, unread),
            GET_AGAIN: Operation(self.get, check, read),
        }

    def offer_batches(self) -> Mapping[str, Operation | str]:
        def check(store: Any) -> None:
            self.check(self.get_many(store))

        return {
            ADD_MANY: Operation(self.add_many, check, self.empty, once=True),
            GET_MANY: Operation(self.get_many, self.check, self.filled, once=True),
        }

    def offer_memory(self) -> Operation | str:
        def run(_given: None) -> Reading:
            before = _peak_from_now()
            store = self.add_many(self.empty())
            values = self.get_many(store)
            return Reading(max(1, peak_rss_bytes() - before), (values, store))

        return Operation(run, lambda result: self.check(result[0]), once=True)

    def filled(self) -> Any:
        return self.add_many(self.empty())

    def check(self, values: list[list[Any]]) -> None:
        """Check that every value came back in its place."""
        expect(len(values), len(self.epochs), "the number of epochs")
        for got, (_, wanted, epoch) in zip(values, self.epochs, strict=True):
            expect(got, wanted, f"{epoch}")


def _on(core: Any) -> Any:
    """Make a FastEventStore of one of its cores."""
    from noob.store import EventStore  # noqa: PLC0415 - a cell of another component needs none

    from noob_runners.event_store import DropIn  # noqa: PLC0415 - as above

    return type("FastEventStore", (DropIn, core, EventStore), {})


def _peak_from_now() -> int:
    """Let the kernel forget the greatest size until now, and return the present one.

    What the allocator has kept is given back first: it would hide growth.
    """
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    file = Path("/proc/self/clear_refs")
    try:
        file.write_text("5")
    except OSError:
        raise UnsupportedError("this system does not tell how a peak of memory grows") from None
    return peak_rss_bytes()


class Noob(_Store):
    """NOOB's own EventStore; events that it has no batch for are added one by one."""

    def begin(self) -> None:
        """Make the table of signals that every call is given."""
        from noob.edge import Signal  # noqa: PLC0415 - a cell of another component needs none
        from noob.store import EventStore  # noqa: PLC0415 - as above

        self.signals = {_SIGNAL: Signal(name=_SIGNAL, annotation=Any)}
        self.kind: Callable[[], Any] = EventStore

    def empty(self) -> Any:
        """Make an empty store."""
        return self.kind()

    def add(self, store: Any) -> Any:
        """Add every event by a call of its own, and return the store."""
        signals = self.signals
        for names, values, epoch in self.epochs:
            for name, value in zip(names, values, strict=True):
                store.add_value(signals, value, name, epoch)
        return store

    def get(self, store: Any) -> list[list[Any]]:
        """Read every event by a call of its own."""
        return [
            [store.get(name, _SIGNAL, epoch) for name in names] for names, _, epoch in self.epochs
        ]


class _Fast(Noob):
    """FastEventStore, which takes batches."""

    def __init__(self, kind: Any, case: Case) -> None:
        super().__init__(case)
        self._kind = kind

    def begin(self) -> None:
        super().begin()
        self.kind = self._kind

    def offer_batches(self) -> Mapping[str, Operation | str]:
        reason = lacking(self._kind, "add_many", "get_many")
        return {ADD_MANY: reason, GET_MANY: reason} if reason else super().offer_batches()

    def offer_memory(self) -> Operation | str:
        return lacking(self._kind, "add_many", "get_many") or super().offer_memory()

    def add_many(self, store: Any) -> Any:
        for names, values, epoch in self.epochs:
            store.add_many(names, _SIGNAL, values, epoch)
        return store

    def get_many(self, store: Any) -> list[list[Any]]:
        return [store.get_many(names, _SIGNAL, epoch) for names, _, epoch in self.epochs]


class Native(_Fast):
    """noob_fast's FastEventStore."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(_on(native("StoreCore")), case)


class Twin(_Fast):
    """FastEventStore in Python."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(_on(twin("store_py", "StoreCore")), case)


class Dict(_Store):
    """A dictionary an epoch, of values by node and signal: no events, no locks, no sub-epochs."""

    def begin(self) -> None:
        """Make the keys, as a tube would have them."""
        self.keys = [[(name, _SIGNAL) for name in names] for names, _, _ in self.epochs]

    def empty(self) -> Any:
        """Make an empty store."""
        return {}

    def add(self, store: Any) -> Any:
        """Set every value, and return the store."""
        for keys, (_, values, epoch) in zip(self.keys, self.epochs, strict=True):
            of_epoch = store[epoch] = {}
            for key, value in zip(keys, values, strict=True):
                of_epoch[key] = value  # noqa: PERF403 - a call an event is the question
        return store

    def get(self, store: Any) -> list[list[Any]]:
        """Read every value."""
        return [
            [store[epoch][key] for key in keys]
            for keys, (_, _, epoch) in zip(self.keys, self.epochs, strict=True)
        ]

    def values(self, events: list[list[Any]]) -> list[list[Any]]:
        """They are values already."""
        return events

    def add_many(self, store: Any) -> Any:
        """Add an epoch's values in one call."""
        for keys, (_, values, epoch) in zip(self.keys, self.epochs, strict=True):
            store[epoch] = dict(zip(keys, values, strict=True))
        return store

    def get_many(self, store: Any) -> list[list[Any]]:
        """Read an epoch's values in one call."""
        return [
            list(map(store[epoch].__getitem__, keys))
            for keys, (_, _, epoch) in zip(self.keys, self.epochs, strict=True)
        ]
