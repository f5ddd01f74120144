"""CompiledRunner: started on a loaded tube, and an epoch of it."""

from __future__ import annotations

from noob_runners import CompiledRunner, IndexedTube
from noob_workloads import reference

from .common import Sized


class Compiled(Sized):
    """CompiledRunner, native where noob-fast is built."""

    def setup(self, nodes: int) -> None:
        """Load, start, and check the first epoch."""
        super().setup(nodes)
        self.tube = self.workload.to_tube(IndexedTube)
        self.runner = CompiledRunner(self.tube)
        self.runner.init()
        assert [self.runner.process()] == reference(self.workload, 1)

    def teardown(self, _nodes: int) -> None:
        """Stop the runner."""
        self.runner.deinit()

    def time_epoch(self, _nodes: int) -> None:
        self.runner.process()

    def peakmem_epoch(self, _nodes: int) -> None:
        self.runner.process()
