"""Calls made elsewhere for nodes that the loop reaches one by one.

Those are the nodes of sub-epochs, stateful nodes, and every node where callbacks watch.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from noob.event import MetaSignal

from noob_runners.components.ahead_py import Flow, inputs
from noob_runners.executor import NOT_RUN
from noob_runners.recipe import ABSENT, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noob import Epoch

    from noob_runners.executor import Call, Result
    from noob_runners.placement import Placement
    from noob_runners.plan import Plan
    from noob_runners.store import PlanStore

__all__ = ["Trips"]

_Key = tuple[int, "Epoch"]


class Trips:
    """What is under way, and what has come back and was not taken yet.

    Args:
        plan: of the tube.
        store: where the inputs of calls are.
        placement: which steps run elsewhere.
    """

    def __init__(self, plan: Plan, store: PlanStore, placement: Placement) -> None:
        self._steps = list(plan.steps.values())
        self._numbers = {node_id: at for at, node_id in enumerate(plan.steps)}
        self._store = store
        self._placement = placement
        self._flow = Flow(self._steps)
        self._tickets = count(-1, -1)  # the loop's own are not negative
        self._sent: dict[int, tuple[Epoch, tuple[int, ...]]] = {}
        self._asked: set[_Key] = set()
        """What is under way or has come back."""
        self._calls_of: dict[_Key, tuple[tuple[int, ...], dict[int, Any]]] = {}
        """The steps that went in the same call, and what it was given, by slot."""
        self._values: dict[_Key, Any] = {}
        self._errors: dict[_Key, BaseException] = {}
        self._calls: list[Call] = []
        self._last: set[int] = set()
        """Steps that are better the last of their call."""

    def ask(self, nodes: Iterable[tuple[str, Epoch]]) -> None:
        """Ask for the calls of nodes that are ready, unless that has been done."""
        for node_id, epoch in nodes:
            number = self._numbers[node_id]
            if (number, epoch) in self._asked:
                continue
            steps = self._with_followers(number, epoch)
            ticket = next(self._tickets)
            self._sent[ticket] = (epoch, steps)
            given = self._inputs(steps, epoch)
            self._asked.update((step, epoch) for step in steps)
            self._calls_of.update(((step, epoch), (steps, given)) for step in steps)
            values = {
                slot: value
                for slot, value in given.items()
                if value is not ABSENT and value is not MetaSignal.NoEvent
            }
            self._calls.append((ticket, steps, values, epoch))  # type: ignore[arg-type] # a plain tuple of Call's shape

    def calls(self) -> list[Call]:
        """The calls that were asked for since the last time."""
        calls, self._calls = self._calls, []
        return calls

    def epoch_of(self, ticket: int) -> Epoch | None:
        """The epoch of a call that is under way."""
        return self._sent.get(ticket, (None, ()))[0]

    def deliver(self, result: Result) -> None:
        """Take what came of a call. Of a call that nobody knows any more, nothing."""
        epoch, steps = self._sent.pop(result.ticket, (None, ()))
        if epoch is None:
            return
        if 0 < len(result.values) < len(steps) and result.error is None:
            self._last.add(steps[len(result.values) - 1])
        for at, number in enumerate(steps):
            key = (number, epoch)
            if at < len(result.values) and result.values[at] is not NOT_RUN:
                self._values[key] = result.values[at]
            elif at == len(result.values) and result.error is not None:
                self._errors[key] = result.error
            else:
                self._drop(key)

    def has(self, node_id: str, epoch: Epoch) -> bool:
        """Whether what a node's call returned or raised is there, and was not taken."""
        key = (self._numbers[node_id], epoch)
        if key not in self._values and key not in self._errors:
            return False
        steps, given = self._calls_of[key]
        packed = self._store.packed
        if all(is_same(self._read(slot, epoch), then, packed) for slot, then in given.items()):
            return True
        # Since the call was asked for, nodes before it have emitted what it ought to have had.
        for step in steps[steps.index(key[0]) :]:
            self._drop((step, epoch))
        return False

    def take(self, node_id: str, epoch: Epoch) -> Any:
        """What a node's call has returned; raises what it has raised."""
        key = (self._numbers[node_id], epoch)
        value, error = self._values.get(key), self._errors.get(key)
        self._drop(key)
        if error is not None:
            raise error
        return value

    def forget(self, root: int) -> None:
        """Forget all of a root epoch."""
        self._calls = [call for call in self._calls if call[3].root != root]
        for key in [key for key in self._asked if key[1].root == root]:
            self._drop(key)
        self._sent = {ticket: sent for ticket, sent in self._sent.items() if sent[0].root != root}

    def _drop(self, key: _Key) -> None:
        self._asked.discard(key)
        self._calls_of.pop(key, None)
        self._values.pop(key, None)
        self._errors.pop(key, None)

    def is_asked(self, node_id: str, epoch: Epoch) -> bool:
        """Whether a node's call is under way, or has come back and was not taken."""
        return (self._numbers[node_id], epoch) in self._asked

    def abandon(self) -> None:
        """Nothing that is under way will come."""
        self._calls.clear()
        for epoch, steps in self._sent.values():
            for step in steps:
                self._drop((step, epoch))
        self._sent.clear()

    def _with_followers(self, number: int, epoch: Epoch) -> tuple[int, ...]:
        """A step and the rest of its chain, as far as that may run in the same place."""
        steps = [number]
        while not self._steps[number].ordered and number not in self._last:
            after = self._flow.successors.get(number, [])
            if len(after) != 1 or len(self._flow.sources.get(after[0], ())) != 1:
                break
            number = after[0]
            step = self._steps[number]
            may = self._placement.is_remote(number) and step.node.enabled and not step.ordered
            if not may or (number, epoch) in self._asked:
                break
            steps.append(number)
        return tuple(steps)

    def _inputs(self, steps: tuple[int, ...], epoch: Epoch) -> dict[int, Any]:
        """By slot, what the steps of a call read and do not make themselves."""
        own = set(steps)
        return {
            slot: self._read(slot, epoch)
            for step in steps
            for slot in inputs(self._steps[step])
            if self._flow.maker.get(slot) not in own
        }

    def _read(self, slot: int, epoch: Epoch) -> Any:
        return self._store.values(epoch).raw(slot, ABSENT)
