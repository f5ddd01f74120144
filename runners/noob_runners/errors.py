"""What can go wrong in a runner beyond what NOOB itself raises."""

from __future__ import annotations

from noob.exceptions import RunnerError, TubeError

__all__ = ["StalledEpochError", "UnknownSignalError"]


class UnknownSignalError(TubeError, ValueError):
    """A node depends on a signal that its source can never emit."""


class StalledEpochError(RunnerError, RuntimeError):
    """An epoch cannot end: a node ran, but did not emit a signal that is awaited."""
