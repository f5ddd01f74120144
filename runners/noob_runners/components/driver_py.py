"""The twins of `noob_fast.EpochDriver` and `noob_fast.EpochRun`: the loop over one epoch's nodes.

It takes what is ready, in NOOB's order; calls it here, or takes what its call elsewhere has
returned; notes it; tells the scheduler. Whatever is not plain is handed over, node by node or value
by value, and the loop goes on. Where it has to wait it returns.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.components.ahead_py import Ahead, Flow
from noob_runners.recipe import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from noob import Epoch

    from noob_runners.components.block_py import ValueBlock
    from noob_runners.components.scheduler_py import FastScheduler
    from noob_runners.plan import Step

    Special = Callable[[str, Epoch], bool]
    Emit = Callable[[str, Any], object]
    Announce = Callable[[list[tuple[str, Epoch]]], object]

_LOCAL = 0


class EpochDriver:
    """A plan's plain steps on a scheduler: where each runs, and how long it takes.

    Args:
        scheduler: of the tube.
        steps: all steps of its plan, in order; a step's number is its place here.
        no_event: NOOB's signal for it.
        exhausted: NOOB's signal for it.
        is_special: whether NOOB might take a value for events that the node made.
        not_run: stands for the value of a step that was not run.
        watch: how local calls are watched, if they are: who is told a step and the nanoseconds that
            its call took, if they are as many as the second says; whether each call's time is kept;
            and what the monotonic clock says.
    """

    def __init__(  # noqa: PLR0917 (the native interface)
        self,
        scheduler: FastScheduler,
        steps: Iterable[Step],
        no_event: Any,
        exhausted: Any,
        is_special: Callable[[Any], bool],
        not_run: Any,
        watch: tuple[Callable[[int, int], object], int, bool, int] | None,
    ) -> None:
        self.scheduler = scheduler
        given = list(steps)
        self.steps = [step if step.plain else None for step in given]
        self.flow = Flow(given)
        self.numbers = {step.node_id: at for at, step in enumerate(self.steps) if step}
        self.no_event, self.exhausted, self.not_run = no_event, exhausted, not_run
        self.is_special = is_special
        self.watch = watch
        self.places = [_LOCAL] * len(self.steps)
        self.last: set[int] = set()
        """Steps that are better the last of their call."""
        self.placed = 0
        """How often steps were placed; 0 as long as all run here."""
        self.counts: dict[int, list[int]] = {}

    def place(self, steps: Sequence[int], place: int) -> None:
        """Say where steps run: 0 here, 1 elsewhere, 2 elsewhere and rather together with others."""
        for step in steps:
            self.places[step] = place
        self.placed += 1

    def totals(self) -> list[tuple[int, int, int]]:
        """The steps called here since this was last asked: how often, and for how many ns."""
        counts, self.counts = self.counts, {}
        return [(step, calls, ns) for step, (calls, ns) in counts.items()]

    def is_plain(self, values: Iterable[Any]) -> bool:
        """Whether all are values, rather than signals or events that the node made."""
        return not any(
            value is self.no_event or value is self.exhausted or self.is_special(value)
            for value in values
        )


class EpochRun:
    """One root epoch on its way through a driver's steps."""

    def __init__(self, driver: EpochDriver, epoch: Epoch, block: ValueBlock) -> None:
        self.early = False
        """Whether an earlier epoch has not ended yet: then `special` is asked whether an ordered
        step may run."""
        self._driver = driver
        self._epoch = epoch
        self._block = block
        self._ready: list[tuple[Epoch, str]] = []
        self._at = 0
        self._asked = 0
        self._ahead: Ahead | None = None
        self._slices: list[tuple[int, int, int]] = []

    def advance(self, special: Special, emit: Emit, announce: Announce) -> bool:
        """Run as many nodes as can run now.

        Args:
            special: runs a node that is not plain, or not in the root epoch, and returns whether it
                has run or the loop must wait.
            emit: takes note of a value that is not plain.
            announce: is told which nodes of sub-epochs are ready before they are run one by one.

        Returns:
            Whether the epoch is over, or nothing of it will be ready any more; else it waits.
        """
        core = self._driver.scheduler
        while True:
            if self._at == len(self._ready):
                if not core.is_active_at(self._epoch):
                    return True
                self._ready, self._at = core.get_ready_at(self._epoch), 0
                if not self._ready:
                    return True
                self._asked = 0
                self._announce(announce)
            while self._at < len(self._ready):
                if not self._run(*self._ready[self._at], special, emit):
                    self._announce(announce)  # what else is ready may have come to be remote
                    return False
                self._at += 1

    def calls(self, merge: int, limit: int) -> list[tuple[int, tuple[int, ...], Any, Epoch]]:
        """The calls that are to be made elsewhere, and were not asked for yet.

        Args:
            merge: up to how many cheap ones go as one.
            limit: how many cheap steps may go with another.
        """
        if self._ahead is None:
            return []
        return self._ahead.calls(self._epoch, self._block.raw, merge=merge, limit=limit)

    def deliver(self, ticket: int, values: list[Any], error: BaseException | None) -> None:
        """Take what came of a call: the values of its steps, and why the next has none."""
        if self._ahead is not None:
            self._ahead.deliver(ticket, values, error)

    def abandon(self) -> None:
        """No call that is under way will come back."""
        if self._ahead is not None:
            self._ahead.abandon()

    def slices(self) -> list[tuple[int, int, int]]:
        """The calls made here: step, when it began, how long it took, in nanoseconds."""
        slices, self._slices = self._slices, []
        return slices

    def _asking(self) -> Ahead:
        if self._ahead is None:
            self._ahead = Ahead(self._driver, self._block.has)
        return self._ahead

    def _announce(self, announce: Announce) -> None:
        driver, below = self._driver, []
        if self._asked == driver.placed:
            return
        self._asked = driver.placed
        for epoch, node_id in self._ready[self._at :]:
            number = driver.numbers.get(node_id)
            if number is None or driver.places[number] == _LOCAL:
                continue
            step = driver.steps[number]
            if epoch != self._epoch:
                below.append((node_id, epoch))
            elif step is not None and not step.ordered:
                self._asking().want(number)
        if below:
            announce(below)

    def _run(self, epoch: Epoch, node_id: str, special: Special, emit: Emit) -> bool:
        driver = self._driver
        number = driver.numbers.get(node_id)
        step = None if number is None or epoch != self._epoch else driver.steps[number]
        if step is None or number is None:
            if node_id in ("input", "assets"):
                driver.scheduler.done(epoch, node_id)
                return True
            return special(node_id, epoch)
        remote = driver.places[number] != _LOCAL
        if step.ordered and (self.early or remote):
            return special(node_id, epoch)
        try:
            ahead, block = self._ahead, self._block
            if ahead is not None and ahead.is_sent(number):
                return False  # those that went with it will come with what it has returned
            if ahead is not None and ahead.has(number, block.raw, block.packed):
                value = ahead.take(number)
            elif remote:
                self._asking().want(number)
                return False
            else:
                if ahead is not None:
                    ahead.settle(number)
                value = self._call(number, step)
        except Exception as error:
            error.add_note(f"in node {node_id!r}, epoch {epoch}")
            raise
        plain = self._commit(step, value, emit)
        if plain and self._ahead is not None:
            self._ahead.made(number)
        return True

    def _call(self, number: int, step: Step) -> Any:
        args, kwargs = arguments(step, self._block.get, self._epoch)
        call = step.call.process if step.late else step.call
        watch = self._driver.watch
        if watch is None:
            return call(*args, **kwargs)
        slow, least, slices, _ = watch
        begin = monotonic_ns()
        value = call(*args, **kwargs)
        took = monotonic_ns() - begin
        counts = self._driver.counts.setdefault(number, [0, 0])
        counts[0] += 1
        counts[1] += took
        if slices:
            self._slices.append((number, begin, took))
        if took >= least:
            slow(number, took)
        return value

    def _commit(self, step: Step, value: Any, emit: Emit) -> bool:
        """Take note of what a step returned; return whether all of it was plain."""
        driver, block, wanted = self._driver, self._block, len(step.signals)
        if any(block.has(step.first + at) for at in range(wanted)):
            emit(step.node_id, value)  # someone else has emitted in this node's name
            return False
        values: Sequence[Any]
        if wanted == 1:
            values = [value]
        elif type(value) in (list, tuple):
            # only a list or a tuple is sure to be read twice alike
            values = value[:wanted]
        else:
            values = ()
        if not values or any(driver.is_special(value) for value in values):
            emit(step.node_id, value)
            return False
        for at, emitted in enumerate(values):
            block.put(step.first + at, emitted)
        driver.scheduler.update(
            [
                (
                    self._epoch,
                    step.node_id,
                    signal,
                    value is driver.no_event,
                    value is driver.exhausted,
                )
                for signal, value in zip(step.signals, values, strict=False)
            ]
        )
        return len(values) == wanted and driver.is_plain(values)
