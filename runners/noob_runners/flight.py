"""An epoch under way: what of it has run, what it waits for, and how it has ended."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from noob import Epoch

    from noob_runners.components import EpochRun, FastScheduler

__all__ = ["Flight", "Upcoming"]


@dataclass(slots=True, eq=False)
class Flight:
    """A root epoch that has begun and has not been handed back."""

    epoch: Epoch
    core: FastScheduler
    """The scheduler that it began with. Enabling or disabling a node replaces it."""
    inputs: dict[str, Any]
    """Its process-scoped inputs."""
    run: EpochRun | None
    """Its way through the compiled steps; None where callbacks watch, or an input is missing."""
    complete: bool
    """Whether all its inputs are there as plain values."""
    over: bool = False
    """Whether nothing of it is left to run."""
    error: BaseException | None = None
    """What it ended in before its turn."""


@dataclass
class Upcoming:
    """The process-scoped inputs of the epochs to come, read no earlier than they are needed."""

    inputs: Iterator[Mapping[str, Any]]
    _read: deque[Mapping[str, Any]] = field(default_factory=deque)
    _failure: Exception | None = None

    def take(self) -> Mapping[str, Any] | None:
        """The next epoch's; None if none is to come."""
        return self._read.popleft() if self.peek(1) is not None else None

    def peek(self, after: int) -> Mapping[str, Any] | None:
        """Those of an epoch to come, the next one being 1; None if so many are not to come."""
        while len(self._read) < after and self._failure is None:
            try:
                self._read.append(dict(next(self.inputs)))  # whoever made it may use it again
            except StopIteration:
                return None
            except Exception as error:  # noqa: BLE001 (raised when it is that epoch's turn)
                self._failure = error
        return self._read[after - 1] if len(self._read) >= after else None

    def due(self) -> Mapping[str, Any] | None:
        """The next epoch's, whose turn it is; None if none is to come.

        Raises:
            Exception: what reading them has raised.
        """
        given = self.peek(1)
        if given is None and self._failure is not None:
            raise self._failure
        return given
