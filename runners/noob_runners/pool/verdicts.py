"""What becomes of a call whose worker has died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_runners.errors import CallTimeoutError, ExecutorError, PoisonedCallError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from noob_runners.executor import Call
    from noob_runners.pool.progress import Running
    from noob_runners.recipe import Recipe

__all__ = ["MOST_STRIKES", "Judge"]

MOST_STRIKES = 3
"""How many workers may die in a call, or, before they are ready, in a row."""


class Judge:
    """Counts how many workers have died in a call."""

    def __init__(self, recipes: Mapping[int, Recipe]) -> None:
        self._recipes = recipes
        self._strikes: dict[int, tuple[Call, int]] = {}
        """By ticket; another call may have the same ticket later."""

    def forget(self) -> None:
        """Begin anew."""
        self._strikes.clear()

    def acquit(self, tickets: Iterable[int]) -> None:
        """Forget the strikes of calls that have results."""
        if self._strikes:
            for ticket in tickets:
                self._strikes.pop(ticket, None)

    def strike(self, call: Call, running: Running, why: str) -> ExecutorError | None:
        """A worker has died in a call; returns the error if it was one too many.

        Args:
            call: the one that was in progress.
            running: its step.
            why: how the worker ended.
        """
        known, strikes = self._strikes.get(call[0], (call, 0))
        strikes = strikes + 1 if known is call else 1
        self._strikes[call[0]] = call, strikes
        if strikes < MOST_STRIKES:
            return None
        return PoisonedCallError(
            f"{MOST_STRIKES} workers have died in {self._name(call, running)}; the last: {why}"
        )

    def overdue(self, call: Call, running: Running, limit_s: float) -> CallTimeoutError:
        """The error of a call that took longer than so many seconds."""
        return CallTimeoutError(
            f"{self._name(call, running)} took longer than {limit_s:g} s; its worker was ended"
        )

    def _name(self, call: Call, running: Running) -> str:
        return f"node {self._recipes[running.step].node_id!r}, epoch {call[3]},"
