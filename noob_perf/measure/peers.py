"""The peers: engines for task graphs outside NOOB, on the same functions and dependencies.

Each gets an epoch in the way that suits it: Dask a whole graph, Ray a task after the other with the
futures of its inputs. The source is called here, as it has a state; all else is a task.
"""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

from noob_perf.measure.cpus import usable_cpus
from noob_perf.measure.harness import Loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noob_perf.measure.harness import Result
    from noob_workloads import Workload


class _Peer(Loop):
    """What both have in common: a number of worker processes, and results of an epoch each."""

    def __init__(self, workload: Workload, workers: int | None = None) -> None:
        """Keep what is to be run; without a number of workers, take one a processor."""
        super().__init__(workload)
        self.workers = workers or usable_cpus()
        self.epochs_run = 0

    def run(self, epochs: int) -> Sequence[Result]:
        """Run the next epochs, one after the other."""
        results = []
        for _ in range(epochs):
            results.append({"digest": self.run_epoch()})
            self.epochs_run += 1
        return results

    @abstractmethod
    def run_epoch(self) -> int:
        """Run an epoch and return its digest."""


class Dask(_Peer):
    """dask.distributed: a scheduler, and workers of one thread each, on this machine."""

    def start(self) -> None:
        """Start the scheduler and the workers, and wait until they are there."""
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an optional extra

        self.cluster = LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
            local_directory=_scratch(),
        )
        self.client = Client(self.cluster)
        self.client.wait_for_workers(self.workers)

    def run_epoch(self) -> int:
        """Send the whole graph. Keys are new in each epoch: known ones would not run again."""
        source, *functions = self.program.functions
        graph: dict[tuple[int, int], Any] = {(self.epochs_run, 0): source()}
        for task, function in enumerate(functions, 1):
            inputs = [(self.epochs_run, place) for place in self.program.predecessors[task]]
            graph[self.epochs_run, task] = (function, *inputs)
        digest: int = self.client.get(graph, (self.epochs_run, len(functions)))
        return digest

    def stop(self) -> None:
        """Stop the workers, then the scheduler."""
        self.client.close()
        self.cluster.close()


class Ray(_Peer):
    """Ray: a cluster of its own on this machine, a CPU a worker."""

    def start(self) -> None:
        """Start the cluster, and make a remote function of each function."""
        import ray  # noqa: PLC0415 - an optional extra

        self.ray = ray
        ray.init(
            address="local",
            num_cpus=self.workers,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
            _temp_dir=_scratch(),
        )
        self.tasks = [task for task in self.program.functions if isinstance(task, partial)]
        self.remote = {function: ray.remote(function) for function in {t.func for t in self.tasks}}

    def run_epoch(self) -> int:
        """Send a task after the other; what it takes is known by futures."""
        values: list[Any] = [self.program.functions[0]()]
        for task, places in zip(self.tasks, self.program.predecessors[1:], strict=True):
            inputs = [values[place] for place in places]
            values.append(self.remote[task.func].remote(*inputs, **task.keywords))
        digest: int = self.ray.get(values[-1])
        return digest

    def stop(self) -> None:
        """Stop the cluster."""
        self.ray.shutdown()


def _scratch() -> str | None:
    """The cell's own folder, which is removed with it; None outside of a cell."""
    return os.environ.get("XDG_RUNTIME_DIR")
