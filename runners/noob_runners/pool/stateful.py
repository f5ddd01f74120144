"""Where stateful steps live, and which of them have died with their worker."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from noob_runners.errors import ExecutorError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from noob_runners.executor import Call
    from noob_runners.pool.member import Member
    from noob_runners.recipe import Recipe

__all__ = ["Homes"]


class Homes:
    """Each stateful step lives with one worker, chosen when it is first called."""

    def __init__(self, recipes: Mapping[int, Recipe]) -> None:
        self._recipes = recipes
        self.steps = frozenset(step for step, recipe in recipes.items() if recipe.stateful)
        """All stateful steps."""
        self._places: dict[int, int] = {}
        self._lost: set[int] = set()

    def settle(self, call: Call, members: list[Member]) -> ExecutorError | None:
        """Let a call of stateful steps wait for the worker that they live with.

        Returns:
            Why that cannot be, if it cannot.
        """
        steps = self.steps.intersection(call[1])
        lost = self.lost_error(steps & self._lost)
        if lost is not None:
            return lost
        places = {self._places[step] for step in steps if step in self._places}
        if len(places) > 1:
            names = ", ".join(sorted(self._recipes[step].node_id for step in steps))
            return ExecutorError(f"stateful nodes of one call live with different workers: {names}")
        if not places:
            lodgers = Counter(self._places.values())
            homes = ((lodgers[member.place], member.place) for member in members)
            places = {min(homes, default=(0, 0))[1]}
        self._places.update(dict.fromkeys(steps, *places))
        for member in members:
            if member.place in places:
                member.pinned.append(call)
        return None

    def move_in(self, member: Member, calls: list[Call]) -> None:
        """Note that calls are sent to a worker, which has the state from now on."""
        if self.steps:
            for call in calls:
                member.initialised |= self.steps.intersection(call[1])

    def lose(self, member: Member) -> None:
        """A worker has died, and all that lived with it."""
        self._lost |= member.initialised

    def lost_error(self, steps: AbstractSet[int]) -> WorkerLostError | None:
        """What to say of calls of steps that are lost; None if it is none."""
        if not steps:
            return None
        return WorkerLostError(
            f"the worker that stateful node {self._recipes[min(steps)].node_id!r} lived in has "
            "died, and the node's state with it"
        )
