"""MultiProcessRunner: a tube's calls on several cores of this machine."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from noob_runners.placement import Mode, Placement, Stateful
from noob_runners.pool import Parcel, WorkerPool
from noob_runners.remote import RemoteCoordinator
from noob_runners.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from noob_runners.executor import Packed
    from noob_runners.stats import WorkerCounts

__all__ = ["MultiProcessRunner"]


@dataclass
class MultiProcessRunner(RemoteCoordinator):
    """A `SynchronousRunner` that makes a tube's calls in several processes of this machine.

    Results, events and exceptions are SynchronousRunner's. Stateless functions may run in worker
    processes; what holds state, assets, nested tubes and returns stay in this one, where the loop
    takes note of everything in SynchronousRunner's order. `run` and `process_many` have several
    epochs under way; `process` and `iter` have one.

    Args:
        tube: what to run; an `IndexedTube` loads faster.
        max_workers: how many worker processes; without it, one a CPU that this process may use.
        placement: "adaptive" (a node's calls leave once they are seen to take longer than sending
            them would), "remote" (all that may leave do) or "local" (none does), for all nodes or
            by node id; nodes that are not named are adaptive.
        stateful: whether nodes that are classes or generators stay in this process
            ("coordinator"), or each lives in a worker ("worker"), where its calls are made in
            order. Its state is lost with that worker: `WorkerLostError`.
        start_method: how workers are started, see `multiprocessing`. With "spawn" and
            "forkserver", a script that makes a runner needs ``if __name__ == "__main__":``.
        max_epochs_in_flight: how many epochs may be under way at the same time, and so in memory;
            without it, two a worker. Tubes with assets, and runners with callbacks, have one.
        call_timeout: how many seconds a call in a worker may take: `CallTimeoutError`.
        timeline: where to write a timeline of each run, from `init` to `deinit`, which Perfetto
            opens (https://ui.perfetto.dev).

    Raises:
        PlacementError: a placement that does not exist, or that a node cannot have.
        UnpicklableError: by `init` and `process`, where a function, an argument or a returned value
            of a node that must leave cannot be pickled. (An adaptive node stays.)
        WorkerStartError: by `process`, where workers end before they are ready.
        PoisonedCallError: by `process`, where three workers have died in the same call.
    """

    _packed: ClassVar[type[Packed] | None] = Parcel

    _: KW_ONLY
    max_workers: int | None = None
    placement: Mode | Mapping[str, Mode] = "adaptive"
    stateful: Stateful = "coordinator"
    start_method: Literal["spawn", "forkserver", "fork"] = "spawn"
    max_epochs_in_flight: int | None = None
    call_timeout: float | None = None
    timeline: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("max_workers", "max_epochs_in_flight"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
        limit: Any = self.call_timeout
        if limit is not None and not (isinstance(limit, int | float) and 0 < limit < inf):
            raise ValueError(f"call_timeout must be seconds, more than 0 and finite, not {limit!r}")
        if self.max_workers is None:
            self.max_workers = _usable_cpus()
        self._pool = WorkerPool(
            self.max_workers, start_method=self.start_method, call_timeout=self.call_timeout
        )
        self._equip(
            self._pool,
            Placement(self._plan, self.placement, self.stateful),
            self.max_epochs_in_flight or 2 * self.max_workers,
            self._new_timeline if self.timeline is not None else None,
        )

    def _new_timeline(self) -> Timeline:
        edges = {(edge.source_node, edge.target_node) for edge in self.tube.edges}
        return Timeline(self.timeline or "", edges)

    def _workers(self) -> Iterable[WorkerCounts]:
        return self._pool.workers()


def _usable_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
