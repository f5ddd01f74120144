"""What every runner must return: the workload's reference results, computed without any runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_workloads import reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from noob_workloads import Workload


class Expected:
    """The expected results of a workload, epoch by epoch, computed when they are first needed."""

    def __init__(self, workload: Workload) -> None:
        """Keep the workload; nothing is computed yet."""
        self._workload = workload
        self._results: Sequence[Any] = ()

    def foresee(self, epochs: int) -> None:
        """Compute so many epochs from the first at once, if they are not there yet."""
        if epochs > len(self._results):
            self._results = reference(self._workload, epochs)

    def between(self, first: int, end: int) -> Sequence[Any]:
        """Return the results of the epochs from the first up to, not including, the end."""
        self.foresee(end)
        return self._results[first:end]
