"""The twin of `noob_fast.StoreCore`: what nodes emitted in all epochs, events made when read."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from operator import index
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal, Self

from noob.event import is_event

from noob_runners.components.block_py import ValueBlock
from noob_runners.components.emitted_py import Emitted, Raw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob import Epoch
    from noob.event import Event

    from noob_runners.executor import Packed

__all__ = ["Emitted", "StoreCore"]

_REMEMBERED = 1000
"""How many dropped epochs are remembered, for the error of who looks for one."""


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
        self._fresh: dict[int, ValueBlock] = {}
        """By identity, the blocks whose values have to be given out as events."""
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
        value = event["value"]
        with self._lock:
            nbytes = self._nbytes([value])
            slot = self._slot(event["node_id"], event["signal"])
            block = self._block(event["epoch"])
            block.made[block.put_at(slot, value, time_ns())] = event
            evicted = self._account(block, 1, nbytes)
        self._tell(evicted)
        return event

    def add_value(
        self, signals: Mapping[str, Any], value: Any, node_id: str, epoch: Epoch
    ) -> Emitted:
        """Add what a node returned; see NOOB's `EventStore.add_value`."""
        stamp = time_ns()
        items: list[Raw | Event] = []
        for signal, given in zip(signals, [value] if len(signals) == 1 else value, strict=False):
            if is_event(given):
                items.append(self.add(given))
            elif isinstance(given, Sequence) and len(given) > 0 and is_event(given[0]):
                items += [self.add(event) for event in given]
            else:
                with self._lock:
                    nbytes = self._nbytes([given])
                    slot = self._slot(node_id, signal)
                    block = self._block(epoch)
                    at = block.put_at(slot, given, stamp)
                    items.append(Raw(block, at, block.generation, slot, given, stamp))
                    evicted = self._account(block, 1, nbytes)
                self._tell(evicted)
        return Emitted(self, items)

    def add_many(
        self,
        node_ids: Sequence[str],
        signals: Sequence[str] | str,
        values: Sequence[Any],
        epoch: Epoch,
    ) -> None:
        """Add values as they are, one of each node."""
        pairs, values = _pairs(node_ids, signals), list(values)
        if len(values) != len(pairs):
            raise ValueError(f"{len(values)} values for {len(pairs)} nodes")
        if not pairs:
            return
        stamp = time_ns()
        with self._lock:
            slots = [self._slot(*pair) for pair in pairs]
            nbytes = self._nbytes(values)
            block = self._block(epoch)
            for slot, value in zip(slots, values, strict=True):
                block.put_at(slot, value, stamp)
            evicted = self._account(block, len(values), nbytes)
        self._tell(evicted)

    def get(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> Event:
        """The latest event of a signal in an epoch or the nearest of its parents that has one."""
        with self._lock:
            epoch = self._resolve(epoch)
            for block in self._lookup(epoch):
                at = block.latest.get(self._slots.get((node_id, signal), -1))
                if at is not None:
                    self._touch(block)
                    return self._entry(block, at)
        raise self._missing(node_id, signal, epoch)

    def get_many(
        self, node_ids: Sequence[str], signals: Sequence[str] | str, epoch: Epoch | Literal[-1]
    ) -> list[Any]:
        """The latest values of signals."""
        found = []
        with self._lock:
            epoch = self._resolve(epoch)
            blocks = self._lookup(epoch)
            for node_id, signal in _pairs(node_ids, signals):
                slot = self._slots.get((node_id, signal), -1)
                for block in blocks:
                    if slot in block.latest:
                        found.append(block.get(slot, None))
                        break
                else:
                    raise self._missing(node_id, signal, epoch)
            for block in blocks[:1]:
                self._touch(block)
        return found

    def clear(self, epoch: Epoch | None = None) -> list[ValueBlock]:
        """Forget an epoch and its sub-epochs, or everything that is shown.

        Returns:
            The blocks that are let go, for the caller to drop where it may take its time.
        """
        with self._lock:
            if epoch is None:
                gone = [at for at in self._blocks if at.root not in self._hidden]
            else:
                gone = [epoch, *self._below.get(epoch, ())]
            blocks = [self._clear_one(at) for at in gone]
            for at in gone:
                self._below.pop(at, None)
        return [block for block in blocks if block is not None]

    def fresh(self, events: list[Event]) -> None:
        """Append the events that came since it was last asked, epoch by epoch, to a list."""
        with self._lock:
            for key, block in list(self._fresh.items()):
                if block.epoch is None or block.epoch.root in self._hidden:
                    continue
                while block.flushed < len(block.entries):
                    events.append(self._entry(block, block.flushed))
                    block.flushed += 1
                if not block.is_direct:
                    del self._fresh[key]

    def open(self, epoch: Epoch, size: int, hidden: bool) -> ValueBlock:  # noqa: ARG002, FBT001 (as the native one)
        """Begin an epoch, most of whose slots will be filled."""
        with self._lock:
            if hidden:
                self._hidden.add(epoch.root)
            return self.opened(epoch)

    def opened(self, epoch: Epoch) -> ValueBlock:
        """The block of an epoch or a sub-epoch; a new one if there is none."""
        with self._lock:
            block = self._block(epoch)
            block.is_direct = True
        return block

    def adopt(self, epoch: Epoch, block: ValueBlock) -> None:
        """Keep an epoch's values in a block that there is already."""
        with self._lock:
            self._blocks[epoch] = self._fresh[id(block)] = block

    def show(self, root: int) -> None:
        """Show the events of a root epoch that was opened hidden."""
        self._hidden.discard(root)

    def made(self, raw: Raw) -> Event:
        """The event of what was put into a block, which may have been cleared since."""
        block = raw.block
        if block.generation == raw.generation and raw.at in block.made:
            return block.made[raw.at]
        value = raw.value.open() if type(raw.value) is self._packed else raw.value
        node_id, signal = self._names[raw.slot]
        event: Event = {
            "id": self._prefix ^ next(self._numbers),
            "timestamp": _moment(raw.stamp),
            "node_id": node_id,
            "signal": signal,
            "epoch": block.epoch,  # type: ignore[typeddict-item] # a store's has one
            "value": value,
        }
        if block.generation == raw.generation:
            event = block.made.setdefault(raw.at, event)
        return event

    def _entry(self, block: ValueBlock, at: int) -> Event:
        return self.made(Raw(block, at, block.generation, *block.entries[at]))

    def _block(self, epoch: Epoch) -> ValueBlock:
        block = self._blocks.get(epoch)
        if block is None:
            for parent in epoch.parents:
                self._below[parent].add(epoch)
            block = self._blocks[epoch] = ValueBlock(0, self._packed, epoch)
        self._fresh[id(block)] = block
        return block

    def _resolve(self, epoch: Epoch | Literal[-1]) -> Epoch | Literal[-1]:
        """The epoch whose events came last, if it is asked for (by -1) and there is one."""
        if not isinstance(epoch, int):
            return epoch
        if epoch != -1:
            raise TypeError(f"an epoch is an Epoch, or -1 for the latest, not {epoch}")
        for at, block in reversed(self._blocks.items()):
            if block.entries and at.root not in self._hidden:
                return at
        return epoch

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

    def _clear_one(self, epoch: Epoch) -> ValueBlock | None:
        block = self._blocks.pop(epoch, None)
        if block is None:
            return None
        self._fresh.pop(id(block), None)
        used = self._used.get(epoch.root)
        if used is not None:
            for usage in (used, self._held):
                usage.events -= block.events
                usage.nbytes -= block.nbytes
            used.epochs.pop(epoch, None)
            if not used.epochs:
                del self._used[epoch.root]
        return block

    def _touch(self, block: ValueBlock) -> None:
        if block.epoch is not None and block.epoch.root in self._used:
            self._used.move_to_end(block.epoch.root)

    def _nbytes(self, values: Sequence[Any]) -> int:
        """How many bytes values take, if they are counted."""
        return 0 if self._max[1] is None else sum(map(_size, values))

    def _account(self, block: ValueBlock, events: int, nbytes: int) -> list[tuple[int, int, int]]:
        """Count what was added to a block, and drop other epochs if it is too much."""
        max_events, max_bytes = self._max
        if block.epoch is None or (max_events is None and max_bytes is None):
            return []
        used = self._used.setdefault(block.epoch.root, _Usage())
        used.epochs[block.epoch] = None
        block.events += events
        block.nbytes += nbytes
        for usage in (used, self._held):
            usage.events += events
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
                self._fresh.pop(id(self._blocks.pop(epoch, None)), None)
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
    try:
        nbytes = index(value.nbytes)
    except Exception:  # noqa: BLE001 (whatever it raises, it is no size)
        nbytes = -1
    return nbytes if nbytes >= 0 else sys.getsizeof(value)


def _moment(stamp: int) -> datetime:
    seconds, rest = divmod(stamp, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
