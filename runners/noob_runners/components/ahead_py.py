"""What is asked for before the loop comes to it: the calls of an epoch's remote steps.

From when their inputs are there until the loop has taken what they returned. The twin of
`ahead.rs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noob_runners.recipe import ABSENT, is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noob import Epoch

    from noob_runners.components.driver_py import EpochDriver
    from noob_runners.plan import Step

_IDLE, _WANTED, _SENT, _ARRIVED = range(4)
_UNKNOWN = -1
_CHEAP = 2
_LONGEST = 50_000
"""How many steps a call has at most: what is lost with a worker is not lost for long."""


def slots(step: Step) -> range:
    """The slots that a step fills."""
    return range(step.first, step.first + len(step.signals))


def inputs(step: Step) -> list[int]:
    """The slots that a step reads."""
    return [*step.positional, *(slot for _, slot in step.keyword)]


class Flow:
    """Which steps take the values of which.

    Args:
        steps: all of a plan.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.maker: dict[int, int] = {}
        """By slot, the plain step that fills it."""
        self.successors: dict[int, list[int]] = {}
        """The plain steps that take a plain step's values."""
        self.sources: dict[int, list[int]] = {}
        """The steps whose values a step takes; not of those that take what no plain step makes."""
        unknown: set[int] = set()
        for at, step in enumerate(steps):
            if step.plain:
                self.maker.update(dict.fromkeys(slots(step), at))
                self.successors[at] = []
            else:
                unknown.update(slots(step))
        for at, step in enumerate(steps):
            if step.plain and unknown.isdisjoint(inputs(step)):
                made = {self.maker.get(slot) for slot in inputs(step)}
                self.sources[at] = sorted(source for source in made if source is not None)
                for source in self.sources[at]:
                    self.successors[source].append(at)


class Ahead:
    """The calls of one epoch's remote steps.

    Args:
        driver: knows the steps, and where they run.
        has: whether a slot of the epoch's block is filled.
    """

    def __init__(self, driver: EpochDriver, has: Callable[[int], bool]) -> None:
        self.sent: dict[int, list[int]] = {}
        """The steps of the calls that are under way, by ticket."""
        self._driver = driver
        self._flow = driver.flow
        self._states = [_IDLE] * len(driver.steps)
        self._missing = [_UNKNOWN] * len(driver.steps)
        """By step, how many steps have not yet made what it takes."""
        self._early: dict[int, Any] = {}
        """Values by slot that have come, but are not emitted yet."""
        self._given: dict[int, dict[int, Any]] = {}
        """By step, what its call was given, by slot: where that may change before its turn."""
        self._values: dict[int, Any] = {}
        self._errors: dict[int, BaseException] = {}
        self._wanted: list[int] = []
        self._made = {
            at for at in self._flow.successors if all(has(slot) for slot in self._slots(at))
        }
        """The steps that have made their values, for good."""
        for at, sources in self._flow.sources.items():
            self._missing[at] = sum(source not in self._made for source in sources)

    def want(self, number: int) -> None:
        """Ask for a step's call, unless that has been done."""
        if self._states[number] == _IDLE:
            self._states[number] = _WANTED
            self._wanted.append(number)

    def is_sent(self, number: int) -> bool:
        """Whether a step's call is under way."""
        return self._states[number] == _SENT

    def settle(self, number: int) -> None:
        """A step was called here: it is not asked for any more."""
        self._states[number] = _ARRIVED

    def abandon(self) -> None:
        """Nothing that is under way will come."""
        for steps in self.sent.values():
            for step in steps:
                self._states[step] = _IDLE
        self.sent.clear()

    def has(self, number: int, raw: Callable[[int, Any], Any], packed: type[Any] | None) -> bool:
        """Whether a step's call has returned or raised, and that was not taken.

        Not, where nodes before it have emitted since what it ought to have had: then it may be
        asked for again.
        """
        if number not in self._values and number not in self._errors:
            return False
        given = self._given.get(number, {})
        if all(is_same(raw(slot, ABSENT), then, packed) for slot, then in given.items()):
            return True
        self._drop(number)
        self._states[number] = _IDLE
        return False

    def take(self, number: int) -> Any:
        """What a step's call has returned; raises what it has raised."""
        value, error = self._values.get(number), self._errors.get(number)
        self._drop(number)
        if error is not None:
            raise error
        return value

    def _drop(self, number: int) -> None:
        self._given.pop(number, None)
        self._errors.pop(number, None)
        self._values.pop(number, None)
        for slot in self._slots(number):
            self._early.pop(slot, None)

    def made(self, number: int) -> None:
        """A step has made its values: the steps that take them may have all they need."""
        if number in self._made:
            return
        self._made.add(number)
        for after in self._flow.successors[number]:
            if self._missing[after] > 0:
                self._missing[after] -= 1
                if self._missing[after] == 0 and self._may_go(after):
                    self.want(after)

    def calls(
        self, epoch: Epoch, raw: Callable[[int, Any], Any], *, merge: int, limit: int
    ) -> list[tuple[int, tuple[int, ...], dict[int, Any], Epoch]]:
        """The calls that are wanted, each as `noob_runners.executor.Call` has it.

        A call's first step is followed by those that can go with it: the rest of a chain, and as
        many as `limit` cheap ones.

        Args:
            epoch: the root epoch.
            raw: reads its block.
            merge: up to how many cheap ones go as one.
            limit: how many cheap steps may follow.
        """
        wanted = [step for step in self._wanted if self._states[step] == _WANTED]
        self._wanted = []
        cheap = all(self._driver.places[step] == _CHEAP for step in wanted)
        heads = [wanted] if cheap and 1 < len(wanted) <= merge else [[step] for step in wanted]
        calls = []
        for steps in heads:
            for step in steps:
                self._states[step] = _SENT
            for step in steps:
                self._remember(step, raw)
            if self._given.keys().isdisjoint(steps):
                self._follow(steps, limit)
            ticket = (epoch.root << 32) | steps[0]
            calls.append((ticket, tuple(steps), self._inputs(steps, raw), epoch))
            self.sent[ticket] = steps
        return calls

    def deliver(self, ticket: int, values: list[Any], error: BaseException | None) -> None:
        """Take what came of a call. Of a call that nobody knows any more, nothing."""
        steps = self.sent.pop(ticket, [])
        if 0 < len(values) < len(steps) and error is None:
            self._driver.last.add(steps[len(values) - 1])
        for at, number in enumerate(steps):
            if at < len(values) and values[at] is not self._driver.not_run:
                self._arrive(number, values[at])
            elif at == len(values) and error is not None:
                self._states[number] = _ARRIVED
                self._errors[number] = error
            else:
                self._states[number] = _IDLE

    def _arrive(self, number: int, value: Any) -> None:
        self._states[number] = _ARRIVED
        self._values[number] = value
        if number in self._given:
            return  # what may yet be thrown away is not for others
        slots = self._slots(number)
        values: Sequence[Any]
        if len(slots) == 1:
            values = [value]
        elif type(value) in (list, tuple) and len(value) >= len(slots):
            values = value[: len(slots)]
        else:
            return
        if values and self._driver.is_plain(values):
            self._early.update(zip(slots, values, strict=True))
            self.made(number)

    def _slots(self, number: int) -> range:
        step = self._driver.steps[number]
        return range(0) if step is None else slots(step)

    def _may_go(self, number: int) -> bool:
        step = self._driver.steps[number]
        return (
            step is not None
            and self._states[number] == _IDLE
            and bool(self._driver.places[number])
            and not step.ordered
            and step.node.enabled
        )

    def _remember(self, number: int, raw: Callable[[int, Any], Any]) -> None:
        """Note what a step is given, unless it is sure to be the same when it is its turn.

        It is if each input is a value that a plain step has made.
        """
        step = self._driver.steps[number]
        given = {}
        for slot in () if step is None else inputs(step):
            value = raw(slot, ABSENT)
            given[slot] = self._early.get(slot, ABSENT) if value is ABSENT else value
        no_event = self._driver.no_event
        sure = not any(value is ABSENT or value is no_event for value in given.values())
        if number not in self._flow.sources or not sure:
            self._given[number] = given

    def _follow(self, steps: list[int], limit: int) -> None:
        """Add the steps that can run right after those of a call, in the same place."""
        left: dict[int, int] = {}
        cheap = 0
        for step in steps:  # which grows meanwhile
            after = () if step in self._driver.last else self._flow.successors[step]
            for number in after:
                missing = left.get(number, self._missing[number])
                if missing <= 0 or len(steps) >= _LONGEST:
                    continue
                left[number] = missing - 1
                if missing > 1 or not self._may_go(number):
                    continue
                if len(after) > 1 or len(self._flow.sources[number]) > 1:
                    if cheap >= limit or self._driver.places[number] != _CHEAP:
                        continue
                    cheap += 1
                self._states[number] = _SENT
                steps.append(number)

    def _inputs(self, steps: Sequence[int], raw: Callable[[int, Any], Any]) -> dict[int, Any]:
        """What the steps of a call read and do not make themselves."""
        own = set(steps)
        values = {}
        for number in steps:
            step = self._driver.steps[number]
            for slot in () if step is None else inputs(step):
                if self._flow.maker.get(slot) in own:
                    continue
                value = raw(slot, ABSENT)
                if value is ABSENT:
                    value = self._early.get(slot, ABSENT)
                if value is not ABSENT and value is not self._driver.no_event:
                    values[slot] = value
        return values
