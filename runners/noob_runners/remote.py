"""The loop of a runner that makes calls elsewhere: several epochs under way, and an executor.

Everything that a tube means is `Coordinator`'s. Here it is decided what is asked for before its
turn, and what the loop does while it waits.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from noob.node import Map
from noob.node.base import WrapFuncNode

from noob_runners.coordinator import Coordinator
from noob_runners.errors import PlacementError
from noob_runners.exchange import Exchange
from noob_runners.executor import Result
from noob_runners.flight import Flight, Upcoming
from noob_runners.placement import LEAST_NS, Placement
from noob_runners.stats import Ledger
from noob_runners.trips import Trips

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from noob import Epoch
    from noob.types import ReturnNodeType

    from noob_runners.executor import Executor
    from noob_runners.plan import Step
    from noob_runners.stats import RunnerStats, WorkerCounts
    from noob_runners.timeline import Timeline

__all__ = ["RemoteCoordinator"]

_NEVER_NS = 2**63
_PATIENCE_S = 1.0
"""How long the executor is waited for before the loop looks around."""


@dataclass
class RemoteCoordinator(Coordinator):
    """A `Coordinator` with an executor. Subclasses say which, and call `_equip` when made."""

    def _equip(
        self,
        executor: Executor,
        placement: Placement,
        max_epochs_in_flight: int,
        timeline: Callable[[], Timeline] | None,
    ) -> None:
        """Take the executor into use.

        Args:
            executor: not started.
            placement: of this runner's plan.
            max_epochs_in_flight: how many epochs may be under way at the same time.
            timeline: makes the one that is written from `init` to `deinit`, if one is wanted.
        """
        self._placement = placement
        self._trips = Trips(self._plan, self._values, placement)
        self._ledger = Ledger()
        self._names = list(self._plan.steps)
        self._exchange = Exchange(executor, placement, self._trips, self._names, self._ledger)
        self._most_flights = max_epochs_in_flight
        self._make_timeline = timeline
        self._flights: deque[Flight] = deque()
        """The epochs under way, the one whose turn it is first."""
        self._upcoming = Upcoming(iter(()))
        self._pinned = {id(node) for node in placement.pinned()}
        self._has_maps = any(isinstance(node, Map) for node in self.tube.nodes.values())

    # ------------------------------------------------------------------ from start to end

    def init(self) -> None:
        """Start processing; nodes that must run elsewhere have their places from now on."""
        if self.running:
            return
        if not self._is_compiled:  # NOOB's own loop runs every node, and here
            for node_id in self._names:
                self._bring_home(node_id)
        if self._make_timeline is not None:
            self._exchange.timeline = self._make_timeline()
        try:
            if self._placement.wants and self._is_compiled:
                self._exchange.start()
            super().init()
        except BaseException:
            self._exchange.stop()
            raise

    def deinit(self) -> None:
        """Stop processing, and end what was started for it. Epochs begun ahead are dropped."""
        try:
            self._drop(self._flights if not self._running_epoch else list(self._flights)[1:])
            super().deinit()
        finally:
            self._exchange.stop()

    def inject_context(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """As NOOB's; but a node that lives elsewhere is neither initialised nor stopped here."""
        node = getattr(fn, "__self__", None)
        if id(node) in self._pinned and fn.__name__ in ("init", "deinit"):
            return _nothing
        return super().inject_context(fn)

    def enable_node(self, node_id: str) -> None:
        """As SynchronousRunner's: a class begins anew. If it lived elsewhere it does so here."""
        node = self.tube.nodes.get(node_id)
        if id(node) in self._pinned and isinstance(node, WrapFuncNode):
            self.tube.enable_node(node_id)  # it goes on, as a generator that runs does in NOOB
            return
        self._bring_home(node_id)
        super().enable_node(node_id)

    def disable_node(self, node_id: str) -> None:
        """As SynchronousRunner's. One that lives elsewhere is stopped when the runner is."""
        if self._bring_home(node_id):
            self.tube.disable_node(node_id)
        else:
            super().disable_node(node_id)

    def _bring_home(self, node_id: str) -> bool:
        """Let a stateful node run here from now on; return whether it has run elsewhere."""
        node = self.tube.nodes.get(node_id)
        number = self._placement.number(node_id)
        if number is None or id(node) not in self._pinned:
            return False
        self._pinned.discard(id(node))
        self._placement.stay(number)
        return True

    # ------------------------------------------------------------------ what users ask for

    def run(self, n: int | None = None) -> Any:
        """As SynchronousRunner's, with several epochs under way where the tube allows it."""
        with self._expecting(repeat({}) if n is None else repeat({}, n)):
            return super().run(n)

    def process_many(
        self, inputs: Iterable[Mapping[str, Any]]
    ) -> Generator[ReturnNodeType, None, None]:
        """Run an epoch for each mapping of process-scoped inputs, several at the same time.

        Args:
            inputs: read ahead by as many as there are epochs under way, so while the next one is
                waited for no result comes. If they come as slowly as results, or depend on them,
                have `max_epochs_in_flight` 1. ``repeat({}, n)`` runs `n` epochs of a tube without
                process-scoped inputs.

        Yields:
            What `process` returns for each, in their order.

        Raises:
            SchedulerExhaustedError: no node can run any more.
            Exception: whatever `process` raises, when it is that epoch's turn.

        After an exception, and where not all results are taken, what has been begun ahead is what
        the next call of `process`, `run` or `process_many` hands back. But if that has other
        inputs, or a node was enabled or disabled meanwhile, it is dropped, and with it what the
        tube's sources have emitted for it.
        """
        upcoming = Upcoming(iter(inputs))
        while (given := upcoming.due()) is not None:
            with self._expecting(upcoming):
                result = self.process(**given)
            yield result

    def stats(self) -> RunnerStats:
        """What the run has cost until now, since the runner was made."""
        self._count_local()
        return self._ledger.stats(self._workers())

    def _workers(self) -> Iterable[WorkerCounts]:
        """What is known of the executor's workers."""
        return ()

    @contextmanager
    def _expecting(self, inputs: Upcoming | Iterator[Mapping[str, Any]]) -> Iterator[None]:
        """While in it, epochs with these inputs may begin before they are asked for."""
        before = self._upcoming
        self._upcoming = inputs if isinstance(inputs, Upcoming) else Upcoming(inputs)
        try:
            yield
        finally:
            self._upcoming = before

    # ------------------------------------------------------------------ epochs

    def _run_epoch(self, inputs: dict[str, Any]) -> None:
        self._upcoming.take()
        if self._flights and not self._is_for(self._flights[0], inputs):
            self._drop(self._flights)
        if self._flights:
            flight = self._flights[0]
            self._values.reveal(flight.epoch)
            if flight.run is not None:
                flight.run.early = False
        else:
            epoch = self._scheduler.begin()
            if epoch is None:
                return
            flight = self._open(epoch, inputs, ahead=False)
            self._flights.append(flight)
        try:
            self._complete(flight)
        except BaseException:
            self._trips.forget(flight.epoch.root)
            raise
        finally:
            self._flights.popleft()
            self._forget_calls()
            self._end_of(flight)

    def _is_for(self, flight: Flight, inputs: dict[str, Any]) -> bool:
        """Whether an epoch that has begun is the one that is asked for now."""
        return (
            flight.core is self._scheduler.core
            and flight.inputs.keys() == inputs.keys()
            and all(flight.inputs[name] is value for name, value in inputs.items())
        )

    def _drop(self, flights: Iterable[Flight]) -> None:
        """Give up epochs that have begun."""
        for flight in list(flights):
            self._flights.remove(flight)
            self._trips.forget(flight.epoch.root)
            self._values.end(flight.epoch)
            if self._exchange.timeline is not None:
                self._exchange.timeline.drop(flight.epoch)
            if flight.core is self._scheduler.core and not flight.core.epoch_completed(
                flight.epoch
            ):
                self._scheduler.end_epoch(flight.epoch)
        self._forget_calls()

    def _forget_calls(self) -> None:
        """Forget the calls under way, if there is no epoch that they can be of."""
        if not self._flights:
            self._exchange.forget()

    def _end_of(self, flight: Flight) -> None:
        self._ledger.epoch()
        timeline = self._exchange.timeline
        if timeline is not None:
            for number, begin, took in flight.run.slices() if flight.run is not None else ():
                timeline.call(-1, self._names[number], flight.epoch, begin, took)
            timeline.epoch(flight.epoch)

    def _drive(self, flight: Flight) -> None:
        if flight.error is not None:
            raise flight.error
        if flight.run is None:
            self._drive_in_python(flight)
            return
        while not flight.over and not self._advance(flight):
            self._wait(flight)

    def _advance(self, flight: Flight) -> bool:
        flight.over = super()._advance(flight)
        return flight.over

    def _wait(self, flight: Flight) -> None:
        if flight.run is not None:
            if self._send():  # first, so that others work meanwhile
                return
            self._look_ahead()
        if self._send():
            return
        if not self._exchange.is_waiting:
            if self._exchange.is_started:
                raise RuntimeError(f"epoch {flight.epoch} waits for a call that nobody makes")
            self._trips.abandon()  # stopped meanwhile: what is left is called here
            for each in self._flights:
                if each.run is not None:
                    each.run.abandon()
            return
        self._exchange.receive(_PATIENCE_S, self._flights)

    def _look_ahead(self) -> None:
        """Go on with epochs whose turn it is not yet, and begin others."""
        at = 1
        while at < len(self._flights) or self._begin_ahead():
            later = self._flights[at]
            if not later.over and later.error is None:
                try:
                    self._advance(later)
                except Exception as error:  # noqa: BLE001 (raised when it is its turn)
                    later.error = error
            at += 1

    def _begin_ahead(self) -> bool:
        """Begin the epoch after those under way, if it will be asked for and the tube allows it."""
        last = self._flights[-1]
        epoch, core = last.epoch + 1, last.core
        if not self._may_begin_after(last):
            return False
        given = self._upcoming.peek(len(self._flights))
        if given is None:
            return False
        try:
            inputs = self._validate_input(**given)
        except Exception:  # noqa: BLE001 (raised when it is its turn)
            return False
        if not core.is_active_at(epoch):
            core.add_epoch_at(epoch)
        self._flights.append(self._open(epoch, inputs, ahead=True))
        core.release_early(epoch)
        return True

    def _may_begin_after(self, last: Flight) -> bool:
        """Whether the epoch after the last one under way may begin."""
        core = last.core
        if (
            len(self._flights) >= self._most_flights
            or self._callbacks
            or self.tube.state.assets
            or last.run is None
            or last.error is not None
            or core is not self._scheduler.core
            # As in noob_core, all below the lowest epoch that has ended counts as ended, so no
            # sub-epoch of it is opened any more: the first epoch must not be overtaken.
            or (self._has_maps and not core.epoch_log)
            or not core.sources_finished(last.epoch)
        ):
            return False
        # The scheduler adds an epoch when the sources of the one before have run, unless that was
        # their last time. A tube without sources lives by its inputs.
        epoch = last.epoch + 1
        lives_by_inputs = not (core.source_nodes() or core.exhausted or core.epoch_completed(epoch))
        return core.is_active_at(epoch) or lives_by_inputs

    # ------------------------------------------------------------------ calls elsewhere

    def _announce(self, nodes: Iterable[tuple[str, Epoch]]) -> None:
        steps, numbers = self._plan.steps, self._placement
        self._trips.ask(
            (node_id, at)
            for node_id, at in nodes
            if node_id in steps and not steps[node_id].ordered and numbers.is_away(node_id)
        )

    def _run_node(self, flight: Flight, node_id: str, at: Epoch) -> bool:
        step = self._plan.steps.get(node_id)
        stateless = step is not None and step.plain and not step.ordered
        early = flight.run is not None and flight.run.early
        if early and not stateless and not self._is_in_turn(flight, node_id):
            return False
        away = (
            step is not None
            and (flight.complete or self._lives_away(step))
            and (self._placement.is_away(node_id) or self._trips.is_asked(node_id, at))
        )
        if not away or step is None:
            begin = monotonic_ns()
            super()._run_node(flight, node_id, at)
            self._count_call(node_id, at, begin)
            return True
        if not self._trips.has(node_id, at):
            self._trips.ask([(node_id, at)])
            return False
        try:
            value = self._trips.take(node_id, at)
            if flight.run is not None:
                self._note(step, value, at)
            else:
                self._hand_over(step.node, value, at)
        except Exception as error:
            error.add_note(f"in node {node_id!r}, epoch {at}")
            raise
        return True

    def _lives_away(self, step: Step) -> bool:
        """Whether a stateful node lives elsewhere.

        Raises:
            PlacementError: it does, and takes an input of this epoch that only NOOB's own code,
                which runs here, could pass on.
        """
        if id(step.node) not in self._pinned:
            return False
        if any(edge.source_node == "input" for edge in step.node.edges):
            raise PlacementError(
                f"node {step.node_id!r} lives in a worker and takes a process-scoped input; this "
                "epoch has one that is missing, or NoEvent"
            )
        return True

    def _is_in_turn(self, flight: Flight, node_id: str) -> bool:
        """Whether a node has run in all epochs before, as often as it ever will."""
        if self._plan.returns is not None and node_id == self._plan.returns.id:
            return False  # it keeps its values until the epoch is handed back
        for earlier in self._flights:
            if earlier is flight:
                return True
            if not earlier.over and not earlier.core.node_is_done(node_id, earlier.epoch):
                return False
        return True

    def _send(self) -> bool:
        """Give the executor all calls that are asked for; return whether some must be made here."""
        calls: list[Any] = list(self._trips.calls())
        bundling = self._placement.bundling
        for flight in self._flights:
            if flight.run is not None:
                calls += flight.run.calls(*bundling)
        kept: set[int] = set()
        if self.tube.state.assets:
            kinds = {type(asset.obj) for asset in self.tube.state.assets.values()}
            kept = self._exchange.keep(calls, kinds, self._plan.near_assets)
            for ticket in kept:
                self._take_back(ticket)
        self._exchange.send([call for call in calls if call[0] not in kept] if kept else calls)
        return bool(kept)

    def _take_back(self, ticket: int) -> None:
        """Let the steps of a call that was not sent be called here."""
        self._trips.deliver(Result(ticket, [], [], -1, 0, 0))
        for flight in self._flights:
            if flight.run is not None and flight.epoch.root == ticket >> 32:
                flight.run.deliver(ticket, [], None)

    # ------------------------------------------------------------------ calls here

    def _watch(self) -> tuple[Callable[[int, int], object], int, bool, int] | None:
        least = LEAST_NS if self._placement.learns else _NEVER_NS
        # The garbage collector does not look into the run of an epoch, which has the driver, which
        # has this: it must not keep the runner, or one that is dropped would keep its workers.
        told = WeakMethod(self._slow)

        def slow(number: int, ns: int) -> None:
            tell = told()
            if tell is not None:
                tell(number, ns)

        return (slow, least, self._make_timeline is not None, monotonic_ns())

    def _current_driver(self) -> Any:
        before = self._driver
        driver = super()._current_driver()
        if driver is not before:
            self._placement.attach(driver)
        return driver

    def _slow(self, number: int, ns: int) -> None:
        """A call here took long."""
        if not self._placement.may_be_worth_sending(number, ns):
            return
        self._count_local()
        if not self._placement.is_worth_sending(number, ns):
            return
        if not self._exchange.is_started:
            self._exchange.start()
        if self._exchange.is_ready(self._flights):
            self._placement.send(number)

    def _count_call(self, node_id: str, at: Epoch, begin: int) -> None:
        """Count a call that was made here one by one."""
        took = monotonic_ns() - begin
        self._ledger.local(node_id, 1, took)
        if self._exchange.timeline is not None:
            self._exchange.timeline.call(-1, node_id, at, begin, took)
        number = self._placement.number(node_id)
        if number is not None:
            self._placement.seen_here([(number, 1, took)])
            if took >= LEAST_NS:
                self._slow(number, took)

    def _count_local(self) -> None:
        """Count the calls that the driver has made here."""
        if self._driver is not None:
            totals = self._driver.totals()
            self._placement.seen_here(totals)
            for number, calls, ns in totals:
                self._ledger.local(self._names[number], calls, ns)


def _nothing() -> None:
    """What is called instead of starting a node that lives elsewhere."""
