"""Which calls go to which worker, and when: the queue, and what keeps every worker busy."""

from __future__ import annotations

from collections import deque
from time import monotonic_ns
from typing import TYPE_CHECKING

from noob_runners.errors import UnpicklableError
from noob_runners.pool.batches import (
    MOST_BATCHES,
    SILENCE_NS,
    is_little,
    may_share,
    richest,
    take_batch,
)
from noob_runners.pool.dispatch import Dispatcher
from noob_runners.pool.stateful import Homes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from noob_runners.executor import Call
    from noob_runners.pool.batches import Costs
    from noob_runners.pool.member import Member
    from noob_runners.pool.outcomes import Reader
    from noob_runners.recipe import Recipe

__all__ = ["Feeder"]


class Feeder:
    """Gives calls to workers."""

    def __init__(self, recipes: Mapping[int, Recipe], costs: Costs, reader: Reader) -> None:
        """Begin without calls.

        Args:
            recipes: by step.
            costs: what steps take.
            reader: takes the results of calls that cannot be run.
        """
        self._costs = costs
        self._reader = reader
        self._queue: deque[Call] = deque()
        self.homes = Homes(recipes)
        self.dispatcher = Dispatcher(recipes)
        self.look_ns = 0
        """When to feed again even if nothing has happened, by `time.monotonic_ns`; 0 for never."""

    def take(self, calls: Iterable[Call], members: list[Member]) -> None:
        """Append calls, as tuples, to the queue; those of stateful steps to their worker's own."""
        stateful = self.homes.steps
        if not stateful:
            self._queue.extend(calls)
            return
        for call in calls:
            if stateful.isdisjoint(call[1]):
                self._queue.append(call)
            else:
                error = self.homes.settle(call, members)
                if error is not None:
                    self._reader.fail(call[0], error)

    def take_back(self, calls: Sequence[Call]) -> None:
        """Put calls that were sent before in front of all others."""
        self._queue.extendleft(reversed(calls))

    def forget(self) -> None:
        """Drop the queue."""
        self._queue.clear()

    def feed(self, members: list[Member]) -> None:
        """Give workers what they have room for; let those with much to do share it."""
        free = [member for member in members if member.is_free]
        for member in free:
            member.give_returns()
            while member.pinned and member.batches < MOST_BATCHES:
                self._send(member, take_batch(member.pinned, len(member.pinned), self._costs))
        queue = self._queue
        under_way = sum(len(member.calls) for member in free)
        while queue and free:
            member = min(free, key=_load)
            if member.batches >= MOST_BATCHES:
                break
            if member.batches and is_little(queue, self._costs):
                break  # all are at work, and more may come that can go with it
            fair = -(-(len(queue) + under_way) // len(free))
            batch = take_batch(queue, max(1, fair - len(member.calls)), self._costs)
            under_way += len(batch)
            self._send(member, batch)
        now = monotonic_ns()
        looks = [look for member in free if (look := member.hurry(now))]
        looks += self._share(free, now)
        self.look_ns = min(looks, default=0)

    def send_again(self, member: Member, number: int) -> None:
        """Send calls again, of a frame that a worker could not read."""
        for call in [call for call, batch in member.calls.values() if batch.number == number]:
            member.take_out(call[0])
            try:
                self.dispatcher.send_in_band(member, call)
            except UnpicklableError as error:
                self._reader.fail(call[0], error)

    def _send(self, member: Member, calls: list[Call]) -> None:
        self.homes.move_in(member, calls)
        for call, error in self.dispatcher.send(member, calls):
            self._reader.fail(call[0], error)

    def _share(self, free: list[Member], now: int) -> list[int]:
        """Ask workers with much to do to give some to those who have nothing.

        Returns:
            When it may be worth to ask others, by `time.monotonic_ns`.
        """
        idle = sum(not member.calls for member in free)
        if not 0 < idle < len(free):
            return []
        idle -= sum(member.asked for member in free)
        rich = may_share(free)
        while idle > 0 and (one := richest(rich, self._costs, now)) is not None:
            one.ask()
            rich.remove(one)
            idle -= 1
        return [member.heard_ns + SILENCE_NS for member in rich] if idle > 0 else []


def _load(member: Member) -> tuple[int, int]:
    return member.batches, len(member.calls)
