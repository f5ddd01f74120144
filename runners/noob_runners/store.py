"""NOOB's event store on numbered slots: an event becomes a dictionary when someone reads it.

The values of the open root epoch are in a block, those of each of its sub-epochs in a dictionary.
Everything else (another root, a signal that no node declares) is kept as NOOB keeps it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any, Literal

from noob.store import EventStore, _make_event_dict

from noob_runners.components import ValueBlock

if TYPE_CHECKING:
    from noob import Epoch
    from noob.event import Event
    from noob.store import EventDict

    from noob_runners.plan import Plan

__all__ = ["ABSENT", "PlanStore", "SubepochValues"]

ABSENT: Any = object()
"""What a slot without a value is read as."""


class SubepochValues:
    """What the nodes of one sub-epoch emitted, by slot.

    Args:
        epoch: the sub-epoch.
        above: the values of those between it and its root, the nearest first.
        block: the root's values.
    """

    __slots__ = ("_block", "_chain", "epoch", "flushed", "made", "stamps", "values")

    def __init__(self, epoch: Epoch, above: list[SubepochValues], block: ValueBlock) -> None:
        self.epoch = epoch
        self.values: dict[int, Any] = {}
        self.stamps: dict[int, float] = {}
        self.made: dict[int, Event] = {}
        """Events that exist."""
        self.flushed = 0
        """How many of the values NOOB's dictionary has as events."""
        self._chain = (self.values, *(values.values for values in above))
        self._block = block

    def has(self, slot: int) -> bool:
        """Whether the slot holds a value here."""
        return slot in self.values

    def get(self, slot: int, default: Any) -> Any:
        """The slot's value here or, if there is none, in the nearest epoch above that has one."""
        for values in self._chain:
            if slot in values:
                return values[slot]
        return self._block.get(slot, default)

    def put(self, slot: int, value: Any) -> None:
        """Note an emitted value, now."""
        self.values[slot] = value
        self.stamps[slot] = time()

    def clear(self) -> None:
        """Forget everything."""
        self.values.clear()
        self.made.clear()
        self.flushed = 0


class PlanStore(EventStore):
    """An `EventStore` that makes events when they are read.

    Args:
        plan: which slot belongs to which signal.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.block = ValueBlock(plan.size)
        """The open root epoch's values."""
        self.epoch: Epoch | None = None
        """The root epoch that is open, or was open last."""
        self._inputs: dict[int, Any] = {}
        self._owners: list[str] | None = None
        self._eager: EventDict = _make_event_dict()
        self._made: dict[int, Event] = {}
        """Events of the root epoch that exist, by slot."""
        self._flushed = 0
        """How many of the block's values NOOB's dictionary has as events."""
        self._below: dict[Epoch, SubepochValues] = {}
        super().__init__()

    def open(self, epoch: Epoch, inputs: dict[int, Any]) -> None:
        """Begin a root epoch; what there was before is forgotten.

        Args:
            epoch: the root epoch.
            inputs: by slot, what nodes read without anyone having emitted it.
        """
        self._inputs = inputs
        self.clear()
        self._below = {}
        self._subepochs.clear()
        self.epoch = epoch

    @property
    def events(self) -> EventDict:
        """All events, by epoch, node and signal."""
        self._flush()
        return self._eager

    @events.setter
    def events(self, events: EventDict) -> None:
        self._empty_root()
        for below in self._below.values():
            below.clear()
        self._eager = events

    def _empty_root(self) -> None:
        self.block.clear()
        for slot, value in self._inputs.items():
            self.block.supply(slot, value)
        self._made = {}
        self._flushed = 0

    def below(self, epoch: Epoch) -> SubepochValues:
        """The values of a sub-epoch of the open epoch."""
        known = self._below.get(epoch)
        if known is None:
            parents = epoch.parents
            above = [self.below(parent) for parent in parents[:-1]]
            known = self._below[epoch] = SubepochValues(epoch, above, self.block)
            for parent in parents:
                self._subepochs[parent].add(epoch)
        return known

    def add(self, event: Event) -> Event:
        """Add an existing event, returning it."""
        epoch = event["epoch"]
        slot = self._slot(event["node_id"], event["signal"], epoch)
        with self._event_condition:
            if slot is None:
                self._flush()  # what came before it comes before it
                for parent in epoch.parents:
                    self._subepochs[parent].add(epoch)
                self._append(event)
            elif epoch == self.epoch:
                again = self.block.has(slot)
                if again:
                    self._flush()
                self.block.put(slot, event["value"])
                self._made[slot] = event
                if again:
                    self._append(event)
                    self._flushed += 1
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
        slot = None if isinstance(epoch, int) else self._slot(node_id, signal, epoch)
        if isinstance(epoch, int) or slot is None:
            return super().get(node_id, signal, epoch)
        if epoch != self.epoch:
            for at in (epoch, *epoch.parents[:-1]):
                below = self._below.get(at)
                if below is not None and below.has(slot):
                    return self._event_below(below, slot)
        if not self.block.has(slot):
            raise KeyError(
                f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}"
            )
        return self._event(slot)

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything."""
        if epoch is None:
            self.events = _make_event_dict()
            return
        self._flush()
        if epoch == self.epoch:
            self._empty_root()
        for at, below in self._below.items():
            if at == epoch or epoch in at.parents:
                below.clear()
        super().clear(epoch)

    def _slot(self, node_id: str, signal: str, epoch: Epoch) -> int | None:
        """The slot of a signal, if its values are kept in slots in this epoch."""
        if self.epoch is None or epoch.root != self.epoch.root:
            return None
        return self.plan.slot(node_id, signal)

    def _append(self, event: Event) -> None:
        self._eager[event["epoch"]][event["node_id"]][event["signal"]].append(event)

    def _event(self, slot: int) -> Event:
        """The event of a filled slot of the block."""
        event = self._made.get(slot)
        if event is None:
            value, stamp = self.block.get(slot, ABSENT), self.block.stamp(slot)
            event = self._made[slot] = self._make(slot, self.epoch, value, stamp)
        return event

    def _event_below(self, below: SubepochValues, slot: int) -> Event:
        """The event of a filled slot of a sub-epoch."""
        event = below.made.get(slot)
        if event is None:
            value, stamp = below.values[slot], below.stamps[slot]
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
        if self.epoch is None:
            return
        with self._event_condition:
            filled = self.block.filled(self._flushed)
            if filled and self.epoch not in self._eager:
                # A root comes before its sub-epochs, as its first event did.
                others = dict(self._eager)
                self._eager.clear()
                _ = self._eager[self.epoch]
                self._eager.update(others)
            for slot in filled:
                self._append(self._event(slot))
            self._flushed += len(filled)
            for below in self._below.values():
                for slot in islice(below.values, below.flushed, None):
                    self._append(self._event_below(below, slot))
                below.flushed = len(below.values)
