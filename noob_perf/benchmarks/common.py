"""What the benchmarks share: their sizes, their samples, and the workload that they run."""

from __future__ import annotations

from noob_workloads import Workload

SIZES = (1_000, 10_000)


class Sized:
    """A benchmark at every size, sampled often enough for asv's significance test."""

    params = SIZES
    param_names = ("nodes",)
    timeout = 120.0
    rounds = 2
    repeat = (4, 8, 5.0)
    warmup_time = 0.0
    number = 1

    def setup(self, nodes: int) -> None:
        """Make the workload; asv does not time this."""
        self.workload = Workload(nodes=nodes)
