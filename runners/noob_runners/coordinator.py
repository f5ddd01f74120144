"""The loop over a tube's epochs that all runners share.

What a tube means is NOOB's own code, inherited: inputs, assets, injections, maps, gathers, nested
tubes, returns, callbacks. What is added is a plan that knows beforehand which nodes are plain calls
and where their values are, and places elsewhere where such calls may run. Whatever runs where, the
loop takes note of it in exactly SynchronousRunner's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from noob import SynchronousRunner
from noob.asset import AssetScope
from noob.event import MetaSignal
from noob.exceptions import AlreadyRunningError

from noob_runners import components
from noob_runners.collector import collector_paused
from noob_runners.components import EpochDriver, EpochRun
from noob_runners.errors import StalledEpochError
from noob_runners.executor import NOT_RUN
from noob_runners.flight import Flight
from noob_runners.plan import Plan
from noob_runners.recipe import arguments, is_special
from noob_runners.scheduler import IndexedScheduler
from noob_runners.store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from noob import Epoch, MetaEvent
    from noob.node import Node
    from noob.store import EventStore
    from noob.types import ReturnNodeType

    from noob_runners.executor import Packed
    from noob_runners.plan import Step

__all__ = ["Coordinator"]

_VIRTUAL = ("input", "assets")
"""Nodes that are in a scheduler's graph only: there is nothing to call."""
_STOCK_STEPS = {
    name: getattr(SynchronousRunner, name)
    for name in (
        "_after_call_node",
        "_asset_context",
        "_before_call_node",
        "_call_callbacks",
        "_call_node",
        "_collect_input",
        "_filter_ready",
        "_get_node",
        "_get_ready",
        "_handle_events",
        "_process_node",
    )
}
"""The steps of NOOB's loop. Whoever replaces one means it to be taken, so NOOB's own loop runs."""


@dataclass
class Coordinator(SynchronousRunner):
    """A `SynchronousRunner` that compiles its tube once and then runs epochs with little overhead.

    Here all calls are made in this process; `noob_runners.remote` adds those that are not.
    """

    _packed: ClassVar[type[Packed] | None] = None
    """The type of values that come unopened from elsewhere, if any do."""

    store: EventStore = None  # type: ignore[assignment] # filled in as soon as there is a plan

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[no-untyped-call] # NOOB's
        if not isinstance(self.tube.scheduler, IndexedScheduler):
            ours = IndexedScheduler.replacing(self.tube.scheduler)
            if ours is not None:
                self.tube.scheduler = ours
        with collector_paused():
            self._plan = Plan(self.tube)
        self._running_epoch = False
        self._driver: EpochDriver | None = None
        self._driven: Any = None
        if self.store is None:
            self.store = PlanStore(self._plan, self._packed)

    @property
    def native(self) -> bool:
        """Whether epochs are driven by the native components."""
        return components.NATIVE and self._is_compiled

    @property
    def _is_compiled(self) -> bool:
        return (
            isinstance(self.store, PlanStore)
            and self.store.plan is self._plan
            and self._plan.tube is self.tube
            and isinstance(self.tube.scheduler, IndexedScheduler)
            and not any(
                name in self.__dict__ or getattr(type(self), name) is not step
                for name, step in _STOCK_STEPS.items()
            )
        )

    def process(self, **kwargs: Any) -> ReturnNodeType:
        """Run one epoch. Process-scoped inputs are keyword arguments.

        Returns:
            What the tube's return node collected; None without one, or where it collected nothing.

        Raises:
            AlreadyRunningError: it is called by a node that it runs, or by another thread.
            SchedulerExhaustedError: no node can run any more.
            StalledEpochError: a node has not emitted a signal that others wait for.
            Exception: whatever a node raises.
        """
        if not self._is_compiled:
            return super().process(**kwargs)
        if self._running_epoch:
            raise AlreadyRunningError(
                "This runner is in the middle of an epoch: it cannot be asked for another one by a "
                "node of that epoch or by another thread"
            )
        inputs = self._validate_input(**kwargs)
        with self._asset_context(AssetScope.process):
            self._before_process()
            self._running_epoch = True
            try:
                self._run_epoch(inputs)
            finally:
                self._running_epoch = False
            self._after_process()
            return self.collect_return()

    def collect_return(self, epoch: Epoch | None = None) -> ReturnNodeType:
        """Take what the return node collected."""
        if epoch is not None or not self._is_compiled:
            return super().collect_return(epoch)
        returns = self._plan.returns
        return returns.get(keep=False) if returns is not None and returns.enabled else None

    def _before_process(self) -> None:
        if not self._is_compiled:
            super()._before_process()
            return
        self._values.forget()
        if not self.running:
            self.init()

    @property
    def _scheduler(self) -> IndexedScheduler:
        return cast("IndexedScheduler", self.tube.scheduler)

    @property
    def _values(self) -> PlanStore:
        return cast("PlanStore", self.store)

    def _run_epoch(self, inputs: dict[str, Any]) -> None:
        epoch = self._scheduler.begin()
        if epoch is not None:
            self._complete(self._open(epoch, inputs, ahead=False))

    def _open(self, epoch: Epoch, inputs: dict[str, Any], *, ahead: bool) -> Flight:
        """Begin an epoch that the scheduler has begun."""
        values, complete = self._read_inputs(inputs)
        block = self._values.begin(epoch, values, ahead=ahead)
        run = None
        if complete and not self._callbacks:
            run = EpochRun(self._current_driver(), epoch, block)
            run.early = ahead
        return Flight(epoch, self._scheduler.core, inputs, run, complete=complete)

    def _complete(self, flight: Flight) -> None:
        """Run what is left of an epoch, whose turn it is."""
        try:
            self._drive(flight)
            # (A node that was enabled or disabled meanwhile has replaced the core, and ended it.)
            if flight.core is self._scheduler.core and flight.core.is_active_at(flight.epoch):
                self._raise_stalled(flight.epoch)
        except BaseException:
            if not self._scheduler.core.epoch_completed(flight.epoch):
                self._scheduler.end_epoch(flight.epoch)
            if self._plan.returns is not None:
                self._plan.returns.get(keep=False)  # nothing of it belongs to the next epoch
            raise

    def _drive(self, flight: Flight) -> None:
        """Run nodes until nothing of an epoch is ready any more."""
        if flight.run is None:
            self._drive_in_python(flight)
        else:
            self._advance(flight)

    def _advance(self, flight: Flight) -> bool:
        """Run what can run now; return whether nothing is left."""

        def special(node_id: str, at: Epoch) -> bool:
            return self._run_node(flight, node_id, at)

        def emit(node_id: str, value: Any) -> None:
            self._hand_over(self.tube.nodes[node_id], value, flight.epoch)

        return flight.run is None or flight.run.advance(special, emit, self._announce)

    def _drive_in_python(self, flight: Flight) -> None:
        """The loop that serves callbacks and missing inputs: whatever they do, it goes on."""
        scheduler = self._scheduler  # whose core a callback may replace
        epoch = flight.epoch
        while scheduler.core.is_active_at(epoch):
            ready = scheduler.core.get_ready_at(epoch)
            if not ready:
                return
            for at, node_id in ready:  # first, as in NOOB's loop: nobody is told what they end
                if node_id in _VIRTUAL:
                    scheduler.core.done(at, node_id)
            nodes = [(node_id, at) for at, node_id in ready if node_id not in _VIRTUAL]
            if flight.complete:
                self._announce(nodes)
            for node_id, at in nodes:
                while not self._run_node(flight, node_id, at):
                    self._wait(flight)

    def _announce(self, nodes: Iterable[tuple[str, Epoch]]) -> None:
        """Take note of nodes that are ready and will be run one by one."""

    def _wait(self, flight: Flight) -> None:
        """Wait until a node of an epoch may have come to be able to run."""
        raise RuntimeError(f"epoch {flight.epoch} waits, though all its nodes run here")

    def _run_node(self, flight: Flight, node_id: str, at: Epoch) -> bool:
        """Run a node that is ready; return whether it has run, or must wait."""
        step = self._plan.steps.get(node_id)
        try:
            if step is not None and step.plain and flight.run is not None:
                self._note(step, self._call_step(step, at), at)
            else:
                self._process_node(
                    cast("MetaEvent", {"value": node_id, "epoch": at}), flight.inputs
                )
        except Exception as error:
            error.add_note(f"in node {node_id!r}, epoch {at}")
            raise
        return True

    def _call_step(self, step: Step, epoch: Epoch) -> Any:
        """Call a plain node in the root epoch or a sub-epoch."""
        args, kwargs = arguments(step, self._values.values(epoch).get, epoch)
        call = step.call.process if step.late else step.call
        return call(*args, **kwargs)

    def _note(self, step: Step, value: Any, epoch: Epoch) -> None:
        """Take note of what a plain node returned."""
        values = self._values.values(epoch)
        if len(step.signals) != 1 or is_special(value) or values.has(step.first):
            self._hand_over(step.node, value, epoch)
            return
        values.put(step.first, value)
        self._scheduler.core.update(
            [
                (
                    epoch,
                    step.node_id,
                    step.signals[0],
                    value is MetaSignal.NoEvent,
                    value is MetaSignal.Exhausted,
                )
            ]
        )

    def _hand_over(self, node: Node, value: Any, epoch: Epoch) -> None:
        """Let NOOB take note of what a node returned."""
        packed = self._packed is not None and isinstance(value, self._packed)
        self._handle_events(node, value.open() if packed else value, epoch)

    def _read_inputs(self, inputs: dict[str, Any]) -> tuple[dict[int, Any], bool]:
        """The inputs that plain nodes depend on, by slot, and whether all can be passed as such.

        Of those that cannot, NOOB's own code tells the node.
        """
        values: dict[int, Any] = {}
        for name, slot in self._plan.inputs.items():
            try:
                values[slot] = self.tube.input_collection.get(name, inputs)
            except KeyError:
                return {}, False
        return values, not any(value is MetaSignal.NoEvent for value in values.values())

    def _current_driver(self) -> EpochDriver:
        """The driver of the plan on the scheduler's core."""
        core: Any = self._scheduler.core
        if self._driver is None or self._driven is not core:
            with collector_paused():
                self._driver = EpochDriver(
                    core,
                    self._plan.steps.values(),
                    MetaSignal.NoEvent,
                    MetaSignal.Exhausted,
                    is_special,
                    NOT_RUN,
                    self._watch(),
                )
            self._driven = core
        return self._driver

    def _watch(self) -> tuple[Callable[[int, int], object], int, bool, int] | None:
        """How calls here are watched: see `EpochDriver`."""
        return None

    def _raise_stalled(self, epoch: Epoch) -> None:
        out = self._scheduler.core.get_epoch_state(epoch)["out"]
        awaited = sorted(item if isinstance(item, str) else ".".join(item) for item in out)
        raise StalledEpochError(
            f"Epoch {epoch} cannot end: awaited, but never emitted: {', '.join(awaited[:5])}. A "
            "node must emit a value (or MetaSignal.NoEvent) for each of its signals."
        )
