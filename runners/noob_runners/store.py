"""NOOB's event store on numbered slots: an event becomes a dictionary when someone reads it.

The values of an open root epoch are in a block, those of each of its sub-epochs in a dictionary.
Everything else (another root, a signal that no node declares) is kept as NOOB keeps it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any, Literal

from noob.store import EventStore, _make_event_dict

from noob_runners.components import ValueBlock
from noob_runners.recipe import ABSENT

if TYPE_CHECKING:
    from noob import Epoch
    from noob.event import Event
    from noob.store import EventDict

    from noob_runners.executor import Packed
    from noob_runners.plan import Plan

__all__ = ["PlanStore", "SubepochValues"]


class SubepochValues:
    """What the nodes of one sub-epoch emitted, by slot.

    Args:
        epoch: the sub-epoch.
        above: the values of those between it and its root, the nearest first.
        block: the root's values.
        packed: the type of values that are opened when they are first read.
    """

    __slots__ = ("_block", "_chain", "epoch", "flushed", "made", "packed", "stamps", "values")

    def __init__(
        self,
        epoch: Epoch,
        above: list[SubepochValues],
        block: ValueBlock,
        packed: type[Packed] | None,
    ) -> None:
        self.epoch = epoch
        self.values: dict[int, Any] = {}
        self.stamps: dict[int, float] = {}
        self.made: dict[int, Event] = {}
        """Events that exist."""
        self.flushed = 0
        """How many of the values NOOB's dictionary has as events."""
        self._chain = (self.values, *(values.values for values in above))
        self._block = block
        self.packed = packed

    def has(self, slot: int) -> bool:
        """Whether the slot holds a value here."""
        return slot in self.values

    def get(self, slot: int, default: Any) -> Any:
        """The slot's value here or, if there is none, in the nearest epoch above that has one."""
        for values in self._chain:
            if slot in values:
                value = values[slot]
                if type(value) is self.packed:
                    value = values[slot] = value.open()
                return value
        return self._block.get(slot, default)

    def raw(self, slot: int, default: Any) -> Any:
        """The same, unopened."""
        for values in self._chain:
            if slot in values:
                return values[slot]
        return self._block.raw(slot, default)

    def put(self, slot: int, value: Any) -> None:
        """Note an emitted value, now."""
        self.values[slot] = value
        self.stamps[slot] = time()

    def clear(self) -> None:
        """Forget everything."""
        self.values.clear()
        self.made.clear()
        self.flushed = 0


class _Root:
    """What the nodes of one root epoch emitted, in it and in its sub-epochs.

    Args:
        epoch: the root epoch.
        inputs: by slot, what nodes read without anyone having emitted it.
        block: where its values are kept.
    """

    __slots__ = ("below", "block", "epoch", "flushed", "inputs", "made")

    def __init__(self, epoch: Epoch, inputs: dict[int, Any], block: ValueBlock) -> None:
        self.epoch = epoch
        self.inputs = inputs
        self.block = block
        self.below: dict[Epoch, SubepochValues] = {}
        self.made: dict[int, Event] = {}
        """Events of the root epoch that exist, by slot."""
        self.flushed = 0
        """How many of the block's values NOOB's dictionary has as events."""
        self.empty()

    def empty(self) -> None:
        """Forget what was emitted in the root epoch itself."""
        self.block.clear()
        for slot, value in self.inputs.items():
            self.block.supply(slot, value)
        self.made = {}
        self.flushed = 0


class PlanStore(EventStore):
    """An `EventStore` that makes events when they are read.

    Args:
        plan: which slot belongs to which signal.
        packed: the type of values of which ``open()`` gives what they stand for, if there is one;
            they are opened when they are first read.
    """

    def __init__(self, plan: Plan, packed: type[Packed] | None = None) -> None:
        self.plan = plan
        self.packed = packed
        self._roots: dict[int, _Root] = {}
        """The open root epochs, by number."""
        self._ahead: set[int] = set()
        """Those of them that have begun before their turn: what they emitted is not shown yet."""
        self._spare: list[ValueBlock] = []
        self._owners: list[str] | None = None
        self._eager: EventDict = _make_event_dict()
        super().__init__()

    def open(self, epoch: Epoch, inputs: dict[int, Any], *, ahead: bool) -> ValueBlock:
        """Begin a root epoch.

        Args:
            epoch: the root epoch.
            inputs: by slot, what nodes read without anyone having emitted it.
            ahead: whether it begins before its turn.

        Returns:
            The block for its values.
        """
        block = self._spare.pop() if self._spare else ValueBlock(self.plan.size, self.packed)
        self._roots[epoch.root] = _Root(epoch, inputs, block)
        if ahead:
            self._ahead.add(epoch.root)
        return block

    def show(self, epoch: Epoch) -> None:
        """It is the turn of a root epoch that has begun ahead."""
        self._ahead.discard(epoch.root)

    def close(self, epoch: Epoch) -> None:
        """Forget a root epoch, which may have begun ahead."""
        root = self._roots.pop(epoch.root, None)
        if root is None:
            return
        self._ahead.discard(epoch.root)
        root.block.clear()
        self._spare.append(root.block)
        for at in (root.epoch, *root.below):
            self._eager.pop(at, None)
            self._subepochs.pop(at, None)

    def forget(self) -> None:
        """Forget everything but the epochs that have begun ahead."""
        for number in [number for number in self._roots if number not in self._ahead]:
            self.close(self._roots[number].epoch)
        if not self._roots:
            self._subepochs.clear()
            self._eager = _make_event_dict()

    @property
    def events(self) -> EventDict:
        """All events, by epoch, node and signal."""
        self._flush()
        return self._eager

    @events.setter
    def events(self, events: EventDict) -> None:
        for root in self._shown():
            root.empty()
            for below in root.below.values():
                below.clear()
        self._eager = events

    def _shown(self) -> list[_Root]:
        return [root for number, root in self._roots.items() if number not in self._ahead]

    def below(self, epoch: Epoch) -> SubepochValues:
        """The values of a sub-epoch of an open epoch."""
        root = self._roots[epoch.root]
        known = root.below.get(epoch)
        if known is None:
            parents = epoch.parents
            above = [self.below(parent) for parent in parents[:-1]]
            known = root.below[epoch] = SubepochValues(epoch, above, root.block, self.packed)
            for parent in parents:
                self._subepochs[parent].add(epoch)
        return known

    def values(self, epoch: Epoch) -> ValueBlock | SubepochValues:
        """The values of an open epoch or of a sub-epoch of it."""
        root = self._roots[epoch.root]
        return root.block if epoch == root.epoch else self.below(epoch)

    def add(self, event: Event) -> Event:
        """Add an existing event, returning it."""
        epoch = event["epoch"]
        root = self._roots.get(epoch.root)
        slot = None if root is None else self.plan.slot(event["node_id"], event["signal"])
        with self._event_condition:
            if root is None or slot is None:
                self._flush()  # what came before it comes before it
                for parent in epoch.parents:
                    self._subepochs[parent].add(epoch)
                self._append(event)
            elif epoch == root.epoch:
                again = root.block.has(slot)
                if again:
                    self._flush()
                root.block.put(slot, event["value"])
                root.made[slot] = event
                if again:
                    self._append(event)
                    root.flushed += 1
            else:
                below = self.below(epoch)
                if below.has(slot):
                    self._flush()
                    self._append(event)
                below.put(slot, event["value"])
                below.made[slot] = event
            self._event_condition.notify_all()
        return event

    def get(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> Event:
        """The latest event of a signal in an epoch or its parents; epoch -1: in any.

        Raises:
            KeyError: there is none.
        """
        root = None if isinstance(epoch, int) else self._roots.get(epoch.root)
        slot = None if root is None else self.plan.slot(node_id, signal)
        if isinstance(epoch, int) or root is None or slot is None:
            return super().get(node_id, signal, epoch)
        if epoch != root.epoch:
            for at in (epoch, *epoch.parents[:-1]):
                below = root.below.get(at)
                if below is not None and below.has(slot):
                    return self._event_below(below, slot)
        if not root.block.has(slot):
            raise KeyError(
                f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}"
            )
        return self._event(root, slot)

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything."""
        if epoch is None:
            self.events = _make_event_dict()
            return
        self._flush()
        root = self._roots.get(epoch.root)
        if root is not None:
            if epoch == root.epoch:
                root.empty()
            for at, below in root.below.items():
                if at == epoch or epoch in at.parents:
                    below.clear()
        super().clear(epoch)

    def _append(self, event: Event) -> None:
        self._eager[event["epoch"]][event["node_id"]][event["signal"]].append(event)

    def _event(self, root: _Root, slot: int) -> Event:
        """The event of a filled slot of a root epoch's block."""
        event = root.made.get(slot)
        if event is None:
            value, stamp = root.block.get(slot, ABSENT), root.block.stamp(slot)
            event = root.made[slot] = self._make(slot, root.epoch, value, stamp)
        return event

    def _event_below(self, below: SubepochValues, slot: int) -> Event:
        """The event of a filled slot of a sub-epoch."""
        event = below.made.get(slot)
        if event is None:
            value, stamp = below.get(slot, ABSENT), below.stamps[slot]
            event = below.made[slot] = self._make(slot, below.epoch, value, stamp)
        return event

    def _make(self, slot: int, epoch: Any, value: Any, stamp: float) -> Event:
        if self._owners is None:
            steps = self.plan.steps.values()
            self._owners = [step.node_id for step in steps for _ in step.signals]
        node_id = self._owners[slot]
        return self.event_maker.new_event(
            node_id=node_id,
            signal=self.plan.signal(node_id, slot),
            epoch=epoch,
            value=value,
            timestamp=datetime.fromtimestamp(stamp, UTC),
        )

    def _flush(self) -> None:
        """Make events of all values of which NOOB's dictionary has none."""
        with self._event_condition:
            for root in self._shown():
                self._flush_root(root)

    def _flush_root(self, root: _Root) -> None:
        filled = root.block.filled(root.flushed)
        if filled and root.epoch not in self._eager:
            # A root comes before its sub-epochs, as its first event did.
            others = dict(self._eager)
            self._eager.clear()
            _ = self._eager[root.epoch]
            self._eager.update(others)
        for slot in filled:
            self._append(self._event(root, slot))
        root.flushed += len(filled)
        for below in root.below.values():
            for slot in islice(below.values, below.flushed, None):
                self._append(self._event_below(below, slot))
            below.flushed = len(below.values)
