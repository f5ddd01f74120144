"""The scheduler alone: constructed, and run by generation with nothing to call."""

from __future__ import annotations

from noob_runners.components import FastScheduler

from .common import Sized


class Scheduler(Sized):
    """FastScheduler, native where noob-fast is built."""

    def setup(self, nodes: int) -> None:
        """Flatten the graph into the tables that a scheduler is made of, and run it once."""
        super().setup(nodes)
        graph = self.workload.graph()
        self.nodes = [(f"n{node}", True, False) for node in range(nodes)]
        self.edges = [
            (f"n{source}", "value", f"n{node}", str(slot), True)
            for node in range(nodes)
            for slot, source in enumerate(graph.predecessors(node).tolist())
        ]
        self.scheduler = FastScheduler(self.nodes, self.edges)
        assert self.run_epoch() == nodes

    def run_epoch(self) -> int:
        """Run an epoch and return how many nodes were ready in it."""
        scheduler, ran = self.scheduler, 0
        epoch = scheduler.begin()  # the epoch before has let it start already
        assert epoch is not None
        while scheduler.is_active_at(epoch):
            ready = scheduler.get_ready_at(epoch)
            ran += len(ready)
            scheduler.done_many(ready)
        return ran

    def run_epoch_by_arrays(self) -> int:
        """The same with indices in the place of names."""
        scheduler, ran = self.scheduler, 0
        epoch = scheduler.begin()
        assert epoch is not None
        while scheduler.is_active_at(epoch):
            ready = scheduler.ready_array(epoch)
            ran += len(ready)
            scheduler.done_array(epoch, ready)
        return ran

    def time_construct(self, _nodes: int) -> None:
        FastScheduler(self.nodes, self.edges)

    def time_epoch(self, _nodes: int) -> None:
        self.run_epoch()

    def time_epoch_by_arrays(self, nodes: int) -> None:
        assert self.run_epoch_by_arrays() == nodes

    def peakmem_construct_and_epoch(self, _nodes: int) -> None:
        FastScheduler(self.nodes, self.edges)
        self.run_epoch()
