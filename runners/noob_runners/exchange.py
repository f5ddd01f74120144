"""What goes to an executor and what comes back: who is told of it, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noob_runners.errors import UnpicklableError
from noob_runners.executor import NOT_RUN, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from noob import Epoch

    from noob_runners.executor import Executor
    from noob_runners.flight import Flight
    from noob_runners.placement import Placement
    from noob_runners.stats import Ledger
    from noob_runners.timeline import Timeline
    from noob_runners.trips import Trips

__all__ = ["Exchange"]


class Exchange:
    """The coordinator's side of an executor.

    Args:
        executor: not started.
        placement: decides what goes there, and learns from what comes back.
        trips: the calls of nodes that the loop reaches one by one.
        names: the ids of the plan's nodes, in order.
        ledger: counts what calls cost.
    """

    def __init__(
        self,
        executor: Executor,
        placement: Placement,
        trips: Trips,
        names: Sequence[str],
        ledger: Ledger,
    ) -> None:
        self.is_started = False
        self.timeline: Timeline | None = None
        """Where calls are written down, if they are."""
        self._executor = executor
        self._placement = placement
        self._trips = trips
        self._names = names
        self._ledger = ledger
        self._steps: dict[int, tuple[int, ...]] = {}
        """The steps of the calls under way, by ticket."""

    @property
    def is_waiting(self) -> bool:
        """Whether calls are under way."""
        return bool(self._steps)

    def is_ready(self, flights: Iterable[Flight]) -> bool:
        """Whether calls could run there now; lets a start that is under way go on."""
        if not self._executor.capacity:
            self.receive(0, flights)
        return self._executor.capacity > 0

    def start(self) -> None:
        """Start the executor, and from then on send what must be sent.

        Raises:
            UnpicklableError: a step that must be sent cannot be.
        """
        refused = self._executor.start(self._placement.recipes())
        self.is_started = True
        self._placement.open(refused)

    def stop(self) -> None:
        """Stop the executor; calls that are still wanted are made here."""
        self._placement.close()
        self._executor.stop()
        self.is_started = False
        self._steps.clear()
        if self.timeline is not None:
            self.timeline.close()
            self.timeline = None

    def send(self, calls: Sequence[Any]) -> None:
        """Send calls."""
        if calls:
            self._steps.update((call[0], call[1]) for call in calls)
            self._executor.submit(calls)

    def forget(self) -> None:
        """Forget all calls under way."""
        if self._steps:
            self._executor.forget()
            self._steps.clear()

    def receive(self, timeout_s: float, flights: Iterable[Flight]) -> None:
        """Take what has come back.

        Args:
            timeout_s: how long to wait for it.
            flights: the epochs under way, which are told.
        """
        results = self._executor.wait(timeout_s)
        if not results:
            return
        by_root = {flight.epoch.root: flight for flight in flights}
        names, seen, count = self._names, self._placement.seen_there, self._ledger.result
        for result in results:
            ticket, values, clock, _, way_ns, _, error = result
            steps = self._steps.pop(ticket, None)
            if steps is None:
                continue
            seen(steps, clock, way_ns)
            count(result, [names[step] for step in steps])
            if error is not None:
                error = self._seen_error(result, steps[min(len(values), len(steps) - 1)])
            if ticket < 0:
                epoch = self._trips.epoch_of(ticket)
                self._trips.deliver(
                    result if error is result.error else result._replace(error=None)
                )
            else:
                flight = by_root.get(ticket >> 32)
                epoch = None if flight is None else flight.epoch
                if flight is not None and flight.run is not None:
                    flight.run.deliver(ticket, list(values), error)
            if self.timeline is not None and epoch is not None:
                self._write(result, steps, epoch)

    def keep(self, calls: Iterable[Any], kinds: set[type], near: frozenset[str]) -> set[int]:
        """Find the calls that take an asset's object: they are made here, where the asset is.

        Args:
            calls: that are wanted.
            kinds: the types of the assets' objects.
            near: the nodes that such an object may come to.

        Returns:
            Their tickets.
        """
        kept = set()
        for ticket, steps, values, _ in calls:
            may = any(self._names[step] in near for step in steps)
            if may and any(type(value) in kinds for value in values.values()):
                for step in steps:
                    self._placement.stay(step)
                kept.add(ticket)
        return kept

    def _seen_error(self, result: Result, culprit: int) -> BaseException | None:
        """What is raised where a call has failed; None if it is made here instead."""
        error = result.error
        if isinstance(error, UnpicklableError):
            if self._placement.cannot_travel(culprit):
                return None
            if result.place < 0 and (told := self._placement.sources(culprit)):  # it never left
                error.add_note(told)
        return error

    def _write(self, result: Result, steps: Sequence[int], epoch: Epoch) -> None:
        if self.timeline is None:
            return
        for at, value in enumerate(result.values):
            if value is not NOT_RUN:
                begin, took = result.clock[2 * at : 2 * at + 2]
                self.timeline.call(result.place, self._names[steps[at]], epoch, begin, took)
