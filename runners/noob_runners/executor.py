"""The one interface between the loop over a tube's nodes and the places where their calls run.

The loop (`noob_runners.coordinator`) decides what may run; an executor runs it somewhere and hands
back what came of it. It knows nothing of epochs, schedulers or stores.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from noob import Epoch

    from noob_runners.recipe import Recipe

__all__ = ["NOT_RUN", "Call", "Executor", "Packed", "Result"]


class _NotRun(Enum):
    """Pickles as a reference, so that it stays one object."""

    NOT_RUN = "not run"


NOT_RUN = _NotRun.NOT_RUN
"""Stands in a `Result` for the value of a step that was not run."""


class Call(NamedTuple):
    """A step to run somewhere, and those that may run in the same place right after it.

    The loop makes plain tuples of this shape, for speed.
    """

    ticket: int
    """What the result is known by. No two calls that are under way have the same."""
    steps: tuple[int, ...]
    """The numbers of steps. The first runs with whatever of its inputs is there; each of the others
    only if all of its inputs are, among `values` or what the steps before it emitted."""
    values: dict[int, Any]
    """Inputs by slot: those that the steps read and do not make themselves. Neither an input that
    was not emitted nor one that is ``NoEvent`` is among them."""
    epoch: Epoch


class Result(NamedTuple):
    """What came of a call."""

    ticket: int
    values: Sequence[Any]
    """What each step returned, in their order; `NOT_RUN` for one that was not run. It may be
    shorter than the call's steps: the rest was not run. Without an error that means that the last
    step with a value should better be the last of its call."""
    clock: Sequence[int]
    """For each value: when the step began and how long it took, alternately, in nanoseconds of
    `time.monotonic_ns`. A step that was not run has 0 and 0."""
    place: int
    """The number of the worker that ran it; -1 for none."""
    overhead: int
    """Nanoseconds that its way there and back took of this process: packing, sending, receiving
    and unpacking, the call's share of its batch."""
    nbytes: int
    """Bytes sent and received, the call's share of its batch."""
    error: BaseException | None = None
    """The exception that the first step without a value raised, or why it could not be run: see
    `noob_runners.errors`. Of the steps after it none has run."""


class Packed(Protocol):
    """A large value that has come and has not been looked at: it can be passed on as it came."""

    def open(self) -> Any:
        """The value itself, the same object each time."""


class Executor(Protocol):
    """Runs calls somewhere. All methods are called by one thread at a time."""

    @property
    def capacity(self) -> int:
        """How many calls can run at the same time; 0 as long as it is not ready."""

    def start(self, recipes: Mapping[int, Recipe]) -> Mapping[int, Exception]:
        """Begin to start; does not wait until it is ready.

        Args:
            recipes: by number, all steps that may be asked for.

        Returns:
            The steps that cannot be run there, each with the reason.
        """

    def submit(self, calls: Iterable[Call]) -> None:
        """Take calls, to be run in this order where there is a choice."""

    def wait(self, timeout_s: float) -> list[Result]:
        """Results that have come; waits until there is one, or for so long.

        Raises:
            ExecutorError: nothing can run there any more.
        """

    def forget(self) -> None:
        """Drop all calls that were submitted; no result of theirs is handed back any more."""

    def stop(self) -> None:
        """Stop, and leave nothing behind. May be called again, and before `start`."""
