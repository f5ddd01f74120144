"""The twin of `noob_fast.ValueBlock`: what one epoch's nodes emitted."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noob import Epoch
    from noob.event import Event

    from noob_runners.executor import Packed

__all__ = ["ValueBlock"]

_ABSENT = object()


class ValueBlock:
    """What one epoch's nodes emitted, by slot: the value, the time, and the order they came in.

    Args:
        size: how many slots there are.
        packed: the type of values of which ``open()`` gives what they stand for; they are opened
            when they are first read.
        epoch: where a store knows it.
    """

    __slots__ = (
        "_values",
        "entries",
        "epoch",
        "events",
        "flushed",
        "generation",
        "is_direct",
        "latest",
        "made",
        "nbytes",
        "packed",
    )

    def __init__(
        self,
        size: int,  # noqa: ARG002 (only the native one makes room)
        packed: type[Packed] | None = None,
        epoch: Epoch | None = None,
    ) -> None:
        self.packed = packed
        self.epoch = epoch
        self.events = self.nbytes = 0
        """How many events and bytes a store has counted."""
        self.is_direct = False
        """Whether others put values in without the store's knowing."""
        self.generation = 0
        """How often everything was forgotten."""
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._values: dict[int, Any] = {}
        self.entries: list[tuple[int, Any, int]] = []
        """What was emitted: slot, value, nanoseconds since 1970."""
        self.latest: dict[int, int] = {}
        """The last entry of each slot."""
        self.made: dict[int, Event] = {}
        """The events that were made, by entry."""
        self.flushed = 0
        """How many of the entries a store has given out as events."""
        self.generation += 1

    def put(self, slot: int, value: Any) -> None:
        """Note an emitted value, now."""
        self.put_at(slot, value, time_ns())

    def put_at(self, slot: int, value: Any, stamp: int) -> int:
        """The same at a time; return which entry it is."""
        at = self.latest[slot] = len(self.entries)
        self.entries.append((slot, value, stamp))
        self._values[slot] = value
        return at

    def supply(self, slot: int, value: Any) -> None:
        """Note a value that is there without having been emitted: an input."""
        self._values[slot] = value

    def has(self, slot: int) -> bool:
        """Whether the slot holds a value."""
        return slot in self._values

    def get(self, slot: int, default: Any) -> Any:
        """The slot's value, or the default if it holds none."""
        value = self._values.get(slot, _ABSENT)
        if type(value) is self.packed:
            pack, value = value, value.open()
            if self._values.get(slot) is pack:
                self._values[slot] = value
        return default if value is _ABSENT else value

    def raw(self, slot: int, default: Any) -> Any:
        """What the slot holds, unopened, or the default if it holds nothing."""
        return self._values.get(slot, default)
