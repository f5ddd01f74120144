"""The twin of `noob_fast.Emitted`: what `add_value` added, and what events are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

if TYPE_CHECKING:
    from noob.event import Event

    from noob_runners.components.block_py import ValueBlock
    from noob_runners.components.store_py import StoreCore

__all__ = ["Emitted", "Raw"]


class Raw(NamedTuple):
    """What an event is made of."""

    block: ValueBlock
    at: int
    """Which entry of the block it is, as long as that has not been cleared."""
    generation: int
    slot: int
    value: Any
    stamp: int


class Emitted(Sequence["Event"]):
    """What a call of `add_value` added, as events that are made when someone reads them."""

    __slots__ = ("_items", "_store")

    def __init__(self, store: StoreCore, items: list[Raw | Event]) -> None:
        self._store = store
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def _event(self, item: Raw | Event) -> Event:
        return self._store.made(item) if isinstance(item, Raw) else item

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        found = self._items[index]
        return list(map(self._event, found)) if isinstance(found, list) else self._event(found)

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, Emitted) else other)

    __hash__ = None  # type: ignore[assignment] # as a list

    def __reduce__(self) -> tuple[type[list[Event]], tuple[list[Event]]]:
        """What is copied or pickled is a list."""
        return list, (list(self),)

    def __repr__(self) -> str:
        return repr(list(self))
