"""The twin of `noob_fast.ValueBlock`: what one epoch's nodes emitted."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noob_runners.executor import Packed

_ABSENT = object()


class ValueBlock:
    """What one epoch's nodes emitted, by slot: the value, the time, and the order they came in.

    Args:
        size: how many slots there are.
        packed: the type of values of which ``open()`` gives what they stand for; they are opened
            when they are first read.
    """

    __slots__ = ("_order", "_size", "_stamps", "_values", "packed")

    def __init__(self, size: int, packed: type[Packed] | None = None) -> None:
        self._size = size
        self.packed = packed
        self._stamps = [0.0] * size
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._values: list[Any] = [_ABSENT] * self._size
        self._order: list[int] = []

    def put(self, slot: int, value: Any) -> None:
        """Note an emitted value, now."""
        self._values[slot] = value
        self._stamps[slot] = time()
        self._order.append(slot)

    def supply(self, slot: int, value: Any) -> None:
        """Note a value that is there without having been emitted: an input."""
        self._values[slot] = value

    def has(self, slot: int) -> bool:
        """Whether the slot holds a value."""
        return self._values[slot] is not _ABSENT

    def get(self, slot: int, default: Any) -> Any:
        """The slot's value, or the default if it holds none."""
        value = self._values[slot]
        if type(value) is self.packed:
            value = self._values[slot] = value.open()
        return default if value is _ABSENT else value

    def raw(self, slot: int, default: Any) -> Any:
        """What the slot holds, unopened, or the default if it holds nothing."""
        value = self._values[slot]
        return default if value is _ABSENT else value

    def stamp(self, slot: int) -> float:
        """When the slot was filled, in seconds since 1970."""
        return self._stamps[slot]

    def filled(self, start: int) -> list[int]:
        """The slots in the order in which they were filled, from the given one on."""
        return self._order[start:]
