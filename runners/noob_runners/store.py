"""NOOB's event store on a block of values: an event becomes a dictionary when someone reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from noob.store import EventStore, _make_event_dict

from noob_runners.components import ValueBlock

if TYPE_CHECKING:
    from noob import Epoch
    from noob.event import Event
    from noob.store import EventDict

    from noob_runners.plan import Plan

__all__ = ["PlanStore"]


class PlanStore(EventStore):
    """An `EventStore` that keeps the open root epoch's values in a block.

    Sub-epochs, and events of signals that no node declares, are kept as NOOB keeps them.

    Args:
        plan: which slot of the block belongs to which signal.
    """

    def __init__(self, plan: Plan) -> None:
        self.block = ValueBlock(plan.size)
        self._plan = plan
        self._epoch: Epoch | None = None
        self._owners: list[str] | None = None
        self._reset()
        super().__init__()

    def _reset(self) -> None:
        self._eager: EventDict = _make_event_dict()
        self._made: dict[int, Event] = {}
        """Events that exist, by slot."""
        self._replaced: dict[int, Event] = {}
        """Events whose slot a later one took, by their place in the order."""
        self._flushed = 0

    def open(self, epoch: Epoch) -> None:
        """Begin a root epoch; what the block held before is forgotten."""
        if self._epoch is not None:
            self.clear()
        self._epoch = epoch

    @property
    def events(self) -> EventDict:
        """All events, by epoch, node and signal."""
        self._flush()
        return self._eager

    @events.setter
    def events(self, events: EventDict) -> None:
        self.block.clear()
        self._epoch = None
        self._reset()
        self._eager = events

    def add(self, event: Event) -> Event:
        """Add an existing event, returning it."""
        slot = None
        if event["epoch"] == self._epoch:
            slot = self._plan.slot(event["node_id"], event["signal"])
        with self._event_condition:
            if slot is None:
                self._eager[event["epoch"]][event["node_id"]][event["signal"]].append(event)
                for parent in event["epoch"].parents:
                    self._subepochs[parent].add(event["epoch"])
            else:
                if self.block.has(slot):
                    order = self.block.filled(0)
                    last = len(order) - 1 - order[::-1].index(slot)
                    self._replaced[last] = self._event(slot)
                self.block.put(slot, event["value"])
                self._made[slot] = event
            self._event_condition.notify_all()
        return event

    def get(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> Event:
        """The latest event of a signal in an epoch or its parents; epoch -1: in any.

        Raises:
            KeyError: there is none.
        """
        if isinstance(epoch, int) or self._epoch is None:
            self._flush()
            return super().get(node_id, signal, epoch)
        if epoch != self._epoch:
            for at in (epoch, *epoch.parents):
                if at == self._epoch:
                    break
                if events := self._eager[at][node_id][signal]:
                    return events[-1]
            else:
                raise KeyError(
                    f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}"
                )
        slot = self._plan.slot(node_id, signal)
        if slot is None:
            return super().get(node_id, signal, self._epoch)
        if not self.block.has(slot):
            raise KeyError(
                f"No event found for node_id: {node_id}, signal: {signal}, epoch: {epoch}"
            )
        return self._event(slot)

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything."""
        if epoch is None:
            self.events = _make_event_dict()
        else:
            self._flush()
            if epoch == self._epoch:
                self.events = self._eager
            super().clear(epoch)

    def _event(self, slot: int) -> Event:
        """The event of a filled slot."""
        event = self._made.get(slot)
        if event is None:
            node_id = self._owner(slot)
            event = self._made[slot] = self.event_maker.new_event(
                node_id=node_id,
                signal=self._plan.signal(node_id, slot),
                epoch=self._epoch,  # type: ignore[arg-type] # a filled slot has an epoch
                value=self.block.get(slot),
                timestamp=datetime.fromtimestamp(self.block.stamp(slot), UTC),
            )
        return event

    def _owner(self, slot: int) -> str:
        """The node that a slot belongs to."""
        if self._owners is None:
            steps = self._plan.steps.values()
            self._owners = [step.node_id for step in steps for _ in step.signals]
        return self._owners[slot]

    def _flush(self) -> None:
        """Make events of what the block holds and NOOB's dictionary does not."""
        epoch = self._epoch
        if epoch is None:
            return
        with self._event_condition:
            filled = self.block.filled(self._flushed)
            if filled and epoch not in self._eager:
                # A root comes before its sub-epochs, as its first event did.
                others = dict(self._eager)
                self._eager.clear()
                _ = self._eager[epoch]
                self._eager.update(others)
            for place, slot in enumerate(filled, self._flushed):
                event: Any = self._replaced.get(place) or self._event(slot)
                self._eager[epoch][event["node_id"]][event["signal"]].append(event)
            self._flushed += len(filled)
