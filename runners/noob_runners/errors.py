"""What can go wrong in a runner beyond what NOOB itself raises."""

from __future__ import annotations

from noob.exceptions import RunnerError, TubeError

__all__ = [
    "CallTimeoutError",
    "ExecutorError",
    "PlacementError",
    "PoisonedCallError",
    "StalledEpochError",
    "UnknownSignalError",
    "UnpicklableError",
    "WorkerLostError",
    "WorkerStartError",
]


class UnknownSignalError(TubeError, ValueError):
    """A node depends on a signal that its source can never emit."""


class StalledEpochError(RunnerError, RuntimeError):
    """An epoch cannot end: a node ran, but did not emit a signal that is awaited."""


class PlacementError(RunnerError, ValueError):
    """A node was asked to run where it cannot, or no such node exists."""


class ExecutorError(RunnerError):
    """The places where calls run have failed, rather than a node."""


class WorkerStartError(ExecutorError, RuntimeError):
    """Workers end before they are ready."""


class WorkerLostError(ExecutorError, RuntimeError):
    """The worker that a stateful node lived in has died, and the node's state with it."""


class PoisonedCallError(ExecutorError, RuntimeError):
    """A call that has brought down every worker that it was given to."""


class CallTimeoutError(ExecutorError, TimeoutError):
    """A call took longer than it was allowed to, and its worker was ended."""


class UnpicklableError(ExecutorError, TypeError):
    """A function, an argument or a returned value cannot be pickled, so cannot travel."""
