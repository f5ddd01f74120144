"""The twin of `noob_fast.StoreCore`: what nodes emitted in all epochs, events made when read."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from noob.event import is_event

from noob_runners.components.block_py import ValueBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from noob import Epoch
    from noob.event import Event

    from noob_runners.executor import Packed

__all__ = ["Emitted", "StoreCore"]

_REMEMBERED = 1000
"""How many dropped epochs are remembered, for the error of who looks for one."""


class Emitted(Sequence["Event"]):
    """What a call of `add_value` added, as events that are made when someone reads them."""

    __slots__ = ("_block", "_items", "_store")

    def __init__(
        self, store: StoreCore, block: ValueBlock | None, items: list[int | Event]
    ) -> None:
        self._store = store
        self._block = block
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def _all(self) -> list[Event]:
        return [
            self._store.event(self._block, item)
            if isinstance(item, int) and self._block is not None
            else item  # type: ignore[misc] # an event
            for item in self._items
        ]

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == (other._all() if isinstance(other, Emitted) else other)

    __hash__ = None  # type: ignore[assignment] # as a list

    def __repr__(self) -> str:
        return repr(self._all())


class _Usage:
    """What a root epoch and its sub-epochs hold."""

    __slots__ = ("epochs", "events", "nbytes")

    def __init__(self) -> None:
        self.events = self.nbytes = 0
        self.epochs: dict[Epoch, None] = {}


class StoreCore:
    """NOOB's event store but for `events` and what follows from them.

    Args:
        prefix: what makes the events' numbers unique among stores.
        below: the sub-epochs that an epoch has had: a dictionary that makes the sets it lacks.
        signals: node and signal of the slots that are given, in their order.
        packed: see `ValueBlock`.
        max_events: how many events to hold.
        max_bytes: how many bytes of values to hold.
        on_evict: is told of a root's number, events and bytes when it is dropped to stay within
            these bounds.
    """

    # (As of the native class, whose subclasses take other arguments.)
    def __new__(cls, *core: Any) -> Self:
        """Make an empty store."""
        self = super().__new__(cls)
        self._prepare(*core)
        return self

    def _prepare(  # noqa: PLR0917 (in the order of the native one's)
        self,
        prefix: int,
        below: dict[Epoch, set[Epoch]],
        signals: Sequence[tuple[str, str]],
        packed: type[Packed] | None,
        max_events: int | None,
        max_bytes: int | None,
        on_evict: Callable[[int, int, int], object] | None,
    ) -> None:
        self._numbers = count()
        self._prefix = prefix
        self._below = below
        self._packed = packed
        self._max = (max_events, max_bytes)
        self._on_evict = on_evict
        self._slots: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str]] = []
        for node_id, signal in signals:
            self._slot(node_id, signal)
        self._blocks: dict[Epoch, ValueBlock] = {}
        self._hidden: set[int] = set()
        self._used: OrderedDict[int, _Usage] = OrderedDict()
        """What each root holds, the least recently used first, if there are bounds."""
        self._held = _Usage()
        self._dropped: deque[int] = deque(maxlen=_REMEMBERED)
        self._lock = RLock()

    def _slot(self, node_id: str, signal: str) -> int:
        for name, what in ((node_id, "node_id"), (signal, "signal")):
            if not isinstance(name, str):
                raise TypeError(f"{what} is a str, not {type(name)}: {name}")
        slot = self._slots.setdefault((node_id, signal), len(self._names))
        if slot == len(self._names):
            self._names.append((node_id, signal))
        return slot

    def add(self, event: Event) -> Event:
        """Add an event that exists; return it."""
        with self._lock:
            block = self.opened(event["epoch"])
            slot = self._slot(event["node_id"], event["signal"])
            block.made[block.put_at(slot, event["value"], time_ns())] = event
            evicted = self._account(block, [event["value"]])
        self._tell(evicted)
        return event

    def add_value(
        self, signals: Mapping[str, Any], value: Any, node_id: str, epoch: Epoch
    ) -> Emitted:
        """Add what a node returned; see NOOB's `EventStore.add_value`."""
        stamp = time_ns()
        items: list[int | Event] = []
        block = None
        for signal, given in zip(signals, [value] if len(signals) == 1 else value, strict=False):
            if is_event(given):
                items.append(self.add(given))
            elif isinstance(given, Sequence) and len(given) > 0 and is_event(given[0]):
                items += [self.add(event) for event in given]
            else:
                with self._lock:
                    block = self.opened(epoch)
                    items.append(block.put_at(self._slot(node_id, signal), given, stamp))
                    evicted = self._account(block, [given])
                self._tell(evicted)
        return Emitted(self, block, items)

    def add_many(
        self,
        node_ids: Sequence[str],
        signals: Sequence[str] | str,
        values: Sequence[Any],
        epoch: Epoch,
    ) -> None:
        """Add values as they are, one of each node."""
        pairs = _pairs(node_ids, signals)
        if len(values) != len(pairs):
            raise ValueError(f"{len(values)} values for {len(pairs)} nodes")
        stamp = time_ns()
        with self._lock:
            block = self.opened(epoch)
            for (node_id, signal), value in zip(pairs, values, strict=True):
                block.put_at(self._slot(node_id, signal), value, stamp)
            evicted = self._account(block, values)
        self._tell(evicted)

    def get(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> Event:
        """The latest event of a signal in an epoch or the nearest of its parents that has one."""
        with self._lock:
            epoch = self._resolve(epoch)
            for block in self._lookup(epoch):
                at = block.latest.get(self._slots.get((node_id, signal), -1))
                if at is not None:
                    self._touch(block)
                    return self.event(block, at)
        raise self._missing(node_id, signal, epoch)

    def get_many(
        self, node_ids: Sequence[str], signals: Sequence[str] | str, epoch: Epoch | Literal[-1]
    ) -> list[Any]:
        """The latest values of signals."""
        found = []
        with self._lock:
            epoch = self._resolve(epoch)
            blocks = self._lookup(epoch)
            for block in blocks[:1]:
                self._touch(block)
            for node_id, signal in _pairs(node_ids, signals):
                slot = self._slots.get((node_id, signal), -1)
                for block in blocks:
                    if slot in block.latest:
                        found.append(block.get(slot, None))
                        break
                else:
                    raise self._missing(node_id, signal, epoch)
        return found

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything that is shown."""
        with self._lock:
            if epoch is None:
                for at in [at for at, _ in self._shown()]:
                    self._clear_one(at)
                return
            self._clear_one(epoch)
            for subepoch in self._below.pop(epoch, ()):
                self._clear_one(subepoch)
                self._below.pop(subepoch, None)

    def fresh(self) -> list[Event]:
        """The events that came since it was last asked, epoch by epoch."""
        events = []
        with self._lock:
            for _, block in self._shown():
                begin, block.flushed = block.flushed, len(block.entries)
                events += [self.event(block, at) for at in range(begin, block.flushed)]
        return events

    def open(self, epoch: Epoch, size: int, hidden: bool) -> ValueBlock:  # noqa: FBT001 (as the native one)
        """Begin an epoch, most of whose slots will be filled."""
        with self._lock:
            if hidden:
                self._hidden.add(epoch.root)
            return self._block(epoch, size)

    def opened(self, epoch: Epoch) -> ValueBlock:
        """The block of an epoch or a sub-epoch; a new one if there is none."""
        return self._block(epoch, 0)

    def adopt(self, epoch: Epoch, block: ValueBlock) -> None:
        """Keep an epoch's values in a block that there is already."""
        self._blocks[epoch] = block

    def show(self, root: int) -> None:
        """Show the events of a root epoch that was opened hidden."""
        self._hidden.discard(root)

    def event(self, block: ValueBlock, at: int) -> Event:
        """The event of an entry."""
        event = block.made.get(at)
        if event is None:
            slot, value, stamp = block.entries[at]
            if type(value) is self._packed:
                value = value.open()
            node_id, signal = self._names[slot]
            with self._lock:
                event = block.made.setdefault(
                    at,
                    {
                        "id": self._prefix ^ next(self._numbers),
                        "timestamp": _moment(stamp),
                        "node_id": node_id,
                        "signal": signal,
                        "epoch": block.epoch,  # type: ignore[typeddict-item] # a store's has one
                        "value": value,
                    },
                )
        return event

    def _block(self, epoch: Epoch, size: int) -> ValueBlock:
        block = self._blocks.get(epoch)
        if block is None:
            for parent in epoch.parents:
                self._below[parent].add(epoch)
            block = self._blocks[epoch] = ValueBlock(size, self._packed, epoch)
        return block

    def _shown(self) -> list[tuple[Epoch, ValueBlock]]:
        return [it for it in self._blocks.items() if it[0].root not in self._hidden]

    def _resolve(self, epoch: Epoch | Literal[-1]) -> Epoch | Literal[-1]:
        """The epoch whose events came last, if it is asked for and there is one."""
        if not isinstance(epoch, int):
            return epoch
        filled = (at for at, block in reversed(self._shown()) if block.entries)
        return next(filled, epoch)

    def _lookup(self, epoch: Epoch | Literal[-1]) -> list[ValueBlock]:
        """The blocks to look into for an epoch."""
        if isinstance(epoch, int):
            return []
        return [self._blocks[at] for at in (epoch, *epoch.parents) if at in self._blocks]

    def _missing(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> KeyError:
        text = f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}"
        if not isinstance(epoch, int) and epoch.root in self._dropped:
            text += ": the epoch was dropped, to stay within the store's bounds"
        return KeyError(text)

    def _clear_one(self, epoch: Epoch) -> None:
        block = self._blocks.pop(epoch, None)
        used = self._used.get(epoch.root)
        if block is not None and used is not None:
            for usage in (used, self._held):
                usage.events -= len(block.entries)
                usage.nbytes -= block.nbytes
            used.epochs.pop(epoch, None)
            if not used.epochs:
                del self._used[epoch.root]

    def _touch(self, block: ValueBlock) -> None:
        if self._max != (None, None) and block.epoch is not None:
            self._used.move_to_end(block.epoch.root)

    def _account(self, block: ValueBlock, values: Sequence[Any]) -> list[tuple[int, int, int]]:
        """Count what was added to a block, and drop other epochs if it is too much."""
        max_events, max_bytes = self._max
        if block.epoch is None or (max_events is None and max_bytes is None):
            return []
        used = self._used.setdefault(block.epoch.root, _Usage())
        used.epochs[block.epoch] = None
        nbytes = 0 if max_bytes is None else sum(map(_size, values))
        block.nbytes += nbytes
        for usage in (used, self._held):
            usage.events += len(values)
            usage.nbytes += nbytes
        self._touch(block)
        evicted = []
        while len(self._used) > 1 and (
            (max_events is not None and self._held.events > max_events)
            or (max_bytes is not None and self._held.nbytes > max_bytes)
        ):
            root, gone = self._used.popitem(last=False)
            self._held.events -= gone.events
            self._held.nbytes -= gone.nbytes
            for epoch in gone.epochs:
                self._blocks.pop(epoch, None)
                self._below.pop(epoch, None)
            self._dropped.append(root)
            evicted.append((root, gone.events, gone.nbytes))
        return evicted

    def _tell(self, evicted: list[tuple[int, int, int]]) -> None:
        for root, events, nbytes in evicted:
            if self._on_evict is not None:
                self._on_evict(root, events, nbytes)


def _pairs(node_ids: Sequence[str], signals: Sequence[str] | str) -> list[tuple[str, str]]:
    if isinstance(signals, str):
        return [(node_id, signals) for node_id in node_ids]
    if len(signals) != len(node_ids):
        raise ValueError(f"{len(signals)} signals for {len(node_ids)} nodes")
    return list(zip(node_ids, signals, strict=True))


def _size(value: Any) -> int:
    """What a value takes: its buffer's size, or what Python says of the object alone."""
    nbytes = getattr(value, "nbytes", None)
    return nbytes if isinstance(nbytes, int) else sys.getsizeof(value)


def _moment(stamp: int) -> datetime:
    seconds, rest = divmod(stamp, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
