"""The expected result of a workload, computed without a runner and without doing any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_workloads.errors import InvalidWorkloadError
from noob_workloads.kernels import FACTOR, SEED, SOURCE
from noob_workloads.tube import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noob_workloads.workload import Workload


def reference(workload: Workload, epochs: int) -> list[dict[str, int]]:
    """What the workload's tube returns in its first epochs, whatever its kernel.

    It does not call the kernels: a kernel or a runner that leaves out, repeats or swaps anything
    cannot agree with it.

    Raises:
        InvalidWorkloadError: `epochs` is negative.
    """
    if epochs < 0:
        raise InvalidWorkloadError(f"epochs must be at least 0, not {epochs}")
    calls = rows(workload.graph())
    results = []
    for epoch in range(epochs):
        digests = [_mixed(SOURCE, (epoch,))]
        for node, predecessors in enumerate(calls):
            digests.append(_mixed(node, [digests[source] for source in predecessors]))
        results.append({"digest": digests[-1]})
    return results


def _mixed(node: int, inputs: Iterable[int]) -> int:
    """The digest as `noob_workloads.kernels` defines it."""
    state = SEED ^ node
    for value in inputs:
        state = (state ^ value) * FACTOR % 2**64
    return state ^ state // 2**32
