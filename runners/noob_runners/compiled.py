"""CompiledRunner: NOOB's SynchronousRunner on a compiled plan, in one process."""

from __future__ import annotations

from dataclasses import dataclass

from noob_runners.coordinator import Coordinator

__all__ = ["CompiledRunner"]


@dataclass
class CompiledRunner(Coordinator):
    """A `SynchronousRunner` that compiles its tube once and then runs epochs with little overhead.

    Results, events and exceptions are SynchronousRunner's, on every tube that it can run; the
    package's README lists the few cases in which it could not go on, or is not asked. An
    `IndexedTube` is used as it is. A stock `Tube` that has not run yet gets our scheduler in the
    place of its own; one that is in use is run by NOOB's own loop, and so is a tube whose store the
    caller supplies, or a runner of which a step (`_call_node` and the like) has been replaced.

    An exception is the node's own, with a note that names node and epoch. After it, the epoch that
    it spoilt is over: the next `process` runs the next one. (SynchronousRunner would wait for the
    failed node for ever.) With the native components the loop over plain nodes runs in Rust.

    Raises:
        StalledEpochError: by `process`, where a node has not emitted a signal that others wait for,
            and SynchronousRunner would wait for it for ever.
    """
