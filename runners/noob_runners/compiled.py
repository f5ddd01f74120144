"""CompiledRunner: NOOB's SynchronousRunner on a compiled plan.

What a tube means is NOOB's own code, inherited: inputs, assets, injections, maps, gathers, nested
tubes, returns, callbacks. What is added is a loop that knows beforehand which nodes are plain calls
and where their values are. With the native components that loop runs in Rust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from noob import SynchronousRunner
from noob.asset import AssetScope
from noob.event import MetaSignal, is_event
from noob.exceptions import AlreadyRunningError

from noob_runners import components
from noob_runners.collector import collector_paused
from noob_runners.errors import StalledEpochError
from noob_runners.plan import Plan, Step
from noob_runners.scheduler import IndexedScheduler
from noob_runners.store import ABSENT, PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob import Epoch, MetaEvent
    from noob.store import EventStore
    from noob.types import ReturnNodeType

    from noob_fast import EpochDriver
__all__ = ["CompiledRunner"]

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
class CompiledRunner(SynchronousRunner):
    """A `SynchronousRunner` that compiles its tube once and then runs epochs with little overhead.

    Results, events and exceptions are SynchronousRunner's, on every tube that it can run; the
    package's README lists the few cases in which it could not go on, or is not asked. An
    `IndexedTube` is used as it is. A stock `Tube` that has not run yet gets our scheduler in the
    place of its own; one that is in use is run by NOOB's own loop, and so is a tube whose store the
    caller supplies, or a runner of which a step (`_call_node` and the like) has been replaced.

    An exception is the node's own, with a note that names node and epoch. After it, the epoch that
    it spoilt is over: the next `process` runs the next one. (SynchronousRunner would wait for the
    failed node for ever.)

    Raises:
        StalledEpochError: by `process`, where a node has not emitted a signal that others wait for,
            and SynchronousRunner would wait for it for ever.
    """

    store: EventStore = None  # type: ignore[assignment] # filled in as soon as there is a plan

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[no-untyped-call] # NOOB's
        if not isinstance(self.tube.scheduler, IndexedScheduler):
            ours = IndexedScheduler.replacing(self.tube.scheduler)
            if ours is not None:
                self.tube.scheduler = ours
        with collector_paused():
            self._plan = Plan(self.tube)
        self._driving = False
        self._driver: EpochDriver | None = None
        self._driven: Any = None
        if self.store is None:
            self.store = PlanStore(self._plan)

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
            StalledEpochError: see the class.
            Exception: whatever a node raises.
        """
        if not self._is_compiled:
            return super().process(**kwargs)
        if self._driving:
            raise AlreadyRunningError(
                "This runner is in the middle of an epoch: it cannot be asked for another one by a "
                "node of that epoch or by another thread"
            )
        inputs = self._validate_input(**kwargs)
        with self._asset_context(AssetScope.process):
            self._before_process()
            self._run_epoch(inputs)
            self._after_process()
            return self.collect_return()

    def collect_return(self, epoch: Epoch | None = None) -> ReturnNodeType:
        """Take what the return node collected."""
        if epoch is not None or not self._is_compiled:
            return super().collect_return(epoch)
        returns = self._plan.returns
        return returns.get(keep=False) if returns is not None and returns.enabled else None

    @property
    def _scheduler(self) -> IndexedScheduler:
        return cast("IndexedScheduler", self.tube.scheduler)

    @property
    def _values(self) -> PlanStore:
        return cast("PlanStore", self.store)

    def _run_epoch(self, inputs: dict[str, Any]) -> None:
        epoch = self._scheduler.begin()
        if epoch is None:
            return
        core = self._scheduler.core
        try:
            self._drive(epoch, inputs)
            # (A node that was enabled or disabled meanwhile has replaced the core, and ended it.)
            if core is self._scheduler.core and core.is_active_at(epoch):
                self._raise_stalled(epoch)
        except BaseException:
            if not self._scheduler.core.epoch_completed(epoch):
                self._scheduler.end_epoch(epoch)
            if self._plan.returns is not None:
                self._plan.returns.get(keep=False)  # nothing of it belongs to the next epoch
            raise

    def _drive(self, epoch: Epoch, inputs: dict[str, Any]) -> None:
        """Run nodes until nothing of the epoch is ready any more."""
        values, complete = self._read_inputs(inputs)
        self._values.open(epoch, values)
        steps = self._plan.steps if complete and not self._callbacks else {}

        def run(node_id: str, at: Epoch) -> None:
            step = steps.get(node_id)
            try:
                if step is not None and step.plain:
                    self._run_step(step, at)
                else:
                    self._process_node(cast("MetaEvent", {"value": node_id, "epoch": at}), inputs)
            except Exception as error:
                error.add_note(f"in node {node_id!r}, epoch {at}")
                raise

        def emit(node_id: str, value: Any) -> None:
            self._handle_events(self.tube.nodes[node_id], value, epoch)

        if not (components.NATIVE and steps):
            self._drive_in_python(epoch, run)
            return
        block: Any = self._values.block  # native, where components.NATIVE
        self._driving = True
        try:
            self._native_driver().run(epoch, block, run, emit)
        finally:
            self._driving = False

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

    def _native_driver(self) -> EpochDriver:
        core: Any = self._scheduler.core
        if self._driver is None or self._driven is not core:
            from noob_fast import EpochDriver  # noqa: PLC0415 (only where it is installed)

            with collector_paused():
                self._driver = EpochDriver(
                    core,
                    self._plan.steps.values(),
                    MetaSignal.NoEvent,
                    MetaSignal.Exhausted,
                    _is_special,
                )
            self._driven = core
        return self._driver

    def _drive_in_python(self, epoch: Epoch, run: Callable[[str, Epoch], None]) -> None:
        """The loop of `noob_fast.EpochDriver` in Python, which also serves callbacks."""
        scheduler = self._scheduler  # whose core a callback may replace
        while scheduler.core.is_active_at(epoch):
            ready = scheduler.core.get_ready_at(epoch)
            if not ready:
                return
            for at, node_id in ready:
                if node_id in ("input", "assets"):
                    scheduler.core.done(at, node_id)
                else:
                    run(node_id, at)

    def _run_step(self, step: Step, epoch: Epoch) -> None:
        """Call a plain node in the root epoch or a sub-epoch, and note what it returned."""
        store = self._values
        values = store.block if epoch == store.epoch else store.below(epoch)
        get = values.get
        no_event = MetaSignal.NoEvent
        args = []
        for slot in step.positional:
            value = get(slot, ABSENT)
            if value is not ABSENT and value is not no_event:
                args.append(value)
        kwargs = {} if step.epoch_slot is None else {step.epoch_slot: epoch}
        for name, slot in step.keyword:
            value = get(slot, ABSENT)
            if value is not ABSENT and value is not no_event:
                kwargs[name] = value
        call = step.call.process if step.late else step.call
        value = call(*args, **kwargs)
        if len(step.signals) != 1 or _is_special(value) or values.has(step.first):
            self._handle_events(step.node, value, epoch)
            return
        values.put(step.first, value)
        self._scheduler.core.update(
            [
                (
                    epoch,
                    step.node_id,
                    step.signals[0],
                    value is no_event,
                    value is MetaSignal.Exhausted,
                )
            ]
        )

    def _raise_stalled(self, epoch: Epoch) -> None:
        out = self._scheduler.core.get_epoch_state(epoch)["out"]
        awaited = sorted(item if isinstance(item, str) else ".".join(item) for item in out)
        raise StalledEpochError(
            f"Epoch {epoch} cannot end: awaited, but never emitted: {', '.join(awaited[:5])}. A "
            "node must emit a value (or MetaSignal.NoEvent) for each of its signals."
        )


def _is_special(value: Any) -> bool:
    """Whether NOOB takes a value for events that the node made: an event, or a sequence of them.

    Of sequences other than lists and tuples only NOOB finds out: reading them may have effects.
    """
    if isinstance(value, int | float | str | bytes | None):
        return False
    if isinstance(value, dict):
        return is_event(value)
    if type(value) in (list, tuple):
        return len(value) > 0 and is_event(value[0])
    return isinstance(value, Sequence)
