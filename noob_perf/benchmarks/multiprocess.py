"""MultiProcessRunner: an epoch of calls that do nothing, all made in two workers."""

from __future__ import annotations

from noob_runners import IndexedTube, MultiProcessRunner
from noob_workloads import reference

from .common import Sized


class Remote(Sized):
    """What sending calls away costs, since the calls themselves take no time."""

    def setup(self, nodes: int) -> None:
        """Load, start, and check the first epochs, in which workers come up."""
        super().setup(nodes)
        tube = self.workload.to_tube(IndexedTube)
        self.runner = MultiProcessRunner(tube, max_workers=2, placement="remote")
        self.runner.init()
        assert [self.runner.process() for _ in range(3)] == reference(self.workload, 3)

    def teardown(self, _nodes: int) -> None:
        """Stop the runner and its workers."""
        self.runner.deinit()

    def time_epoch(self, _nodes: int) -> None:
        self.runner.process()
