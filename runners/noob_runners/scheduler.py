"""NOOB's scheduler on our components: the same class to every NOOB runner, built in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from noob.scheduler import Scheduler

from noob_runners.components import FastScheduler

if TYPE_CHECKING:
    from noob import Epoch

__all__ = ["IndexedScheduler"]


class IndexedScheduler(Scheduler):
    """NOOB's `Scheduler`, with FastScheduler in the place of `noob_core.Scheduler`."""

    @property
    def core(self) -> FastScheduler:
        """The component that knows what runs when. Enabling or disabling a node replaces it."""
        return cast("FastScheduler", self._core)

    @classmethod
    def replacing(cls, scheduler: Scheduler) -> IndexedScheduler | None:
        """The same scheduler on our component; None if it is in use, or someone's own class."""
        core = scheduler._core  # noqa: SLF001 (NOOB has no public way to ask)
        in_use = core.epoch_log or core.exhausted or core.is_active()
        if in_use or type(scheduler) is not Scheduler:
            return None
        return cls(nodes=scheduler.nodes, edges=scheduler.edges)

    def begin(self) -> Epoch | None:
        """What `iter_epoch` begins with: the epoch to run next.

        Returns:
            The first active epoch, or a new one; None where nothing can ever become ready.

        Raises:
            SchedulerExhaustedError: no node can run again.
        """
        return self.core.begin()

    def _rebuild_core(self) -> None:
        self._core = FastScheduler(  # type: ignore[assignment] # the same interface
            [(id_, bool(spec.enabled), spec.stateful) for id_, spec in self.nodes.items()],
            [
                (e.source_node, e.source_signal, e.target_node, str(e.target_slot), e.required)
                for e in self.edges
            ],
        )
        self.source_nodes = self._core.source_nodes()
