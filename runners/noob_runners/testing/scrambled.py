"""An executor in this process that answers in any order: what a runner must be able to bear."""

from __future__ import annotations

import pickle
import random
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.executor import NOT_RUN, Result
from noob_runners.placement import CHEAP, LOCAL, REMOTE, Placement
from noob_runners.recipe import Recipe, arguments, emitted
from noob_runners.remote import RemoteCoordinator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from noob_runners.executor import Call
    from noob_runners.flight import Flight

_RESTLESSNESS = 0.3
"""The share of steps that change their places, each time that is tried."""
_LOSS = 0.1
"""The share of steps at which a call is broken off."""


def _travelled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 (it was made a moment ago)


class ScrambledExecutor:
    """Runs calls when it is waited for, some at a time, in an order of its own.

    Args:
        seed: of the order.
        loses: whether it sometimes runs only the first steps of a call.
    """

    capacity = 3

    def __init__(self, seed: int, *, loses: bool = True) -> None:
        self._random = random.Random(seed)  # noqa: S311 (an order that can be had again)
        self._loses = loses
        self._calls: list[Call] = []
        self._recipes: dict[int, Recipe] = {}
        self._nodes: dict[int, Any] = {}

    def start(self, recipes: Mapping[int, Recipe]) -> Mapping[int, Exception]:
        """Take the recipes, as another process would: pickled."""
        self._recipes = _travelled(dict(recipes))
        return {}

    def submit(self, calls: Iterable[Call]) -> None:
        """Take calls, in the same way."""
        for call in calls:
            # stateful calls keep their order, being asked for one at a time
            self._calls.append(_travelled(call))

    def wait(self, timeout_s: float) -> list[Result]:
        """Run some of the calls."""
        if timeout_s:
            self._random.shuffle(self._calls)
        taken = self._random.randint(1, 3)
        calls, self._calls = self._calls[:taken], self._calls[taken:]
        return [self._run(*call) for call in calls]

    def forget(self) -> None:
        """Drop all calls."""
        self._calls.clear()

    def stop(self) -> None:
        """Drop all calls, and stop stateful nodes."""
        self._calls.clear()
        for node in self._nodes.values():
            node.deinit()
        self._nodes.clear()

    def _run(
        self, ticket: int, steps: tuple[int, ...], given: dict[int, Any], epoch: Any
    ) -> Result:
        values: list[Any] = []
        clock: list[int] = []
        error = None
        slots = dict(given)
        for at, number in enumerate(steps):
            recipe = self._recipes[number]
            wanted = [*recipe.positional, *(slot for _, slot in recipe.keyword)]
            if at and not all(slot in slots for slot in wanted):
                values.append(NOT_RUN)
                clock += [0, 0]
                continue
            if at and self._loses and self._random.random() < _LOSS:
                break
            begin = monotonic_ns()
            args, kwargs = arguments(recipe, slots.get, epoch)
            try:
                value = _travelled(self._function(number, recipe)(*args, **kwargs))
            except Exception as raised:  # noqa: BLE001 (it is the result)
                error = raised
                break
            values.append(value)
            clock += [begin, monotonic_ns() - begin]
            slots.update(enumerate(emitted(recipe, value) or (), recipe.first))
        return Result(ticket, values, clock, 0, 1000, 100, error)

    def _function(self, number: int, recipe: Recipe) -> Any:
        if not recipe.stateful:
            return recipe.call
        if number not in self._nodes:
            self._nodes[number] = recipe.call
            recipe.call.init()
        return self._nodes[number].process


@dataclass
class ScrambledRunner(RemoteCoordinator):
    """A runner of whose calls as many as possible are made by a `ScrambledExecutor`."""

    seed: int = 0
    restless: bool = False
    """Whether steps change their places all the time."""
    stateful: str = "coordinator"
    placement: str = "remote"

    def __post_init__(self) -> None:
        super().__post_init__()
        placement = Placement(self._plan, self.placement, self.stateful)
        self._equip(ScrambledExecutor(self.seed), placement, 4, None)
        self._random = random.Random(self.seed)  # noqa: S311 (the same)

    def _wait(self, flight: Flight) -> None:
        super()._wait(flight)
        steps = (
            list(self._plan.steps.values()) if self.restless and self._exchange.is_started else []
        )
        for number, step in enumerate(steps):
            if step.plain and not step.ordered and self._random.random() < _RESTLESSNESS:
                self._placement.place([number], self._random.choice([LOCAL, REMOTE, CHEAP]))
