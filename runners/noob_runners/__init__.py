"""Runners for NOOB tubes that give exactly SynchronousRunner's results, in time linear in nodes."""

from noob_runners.compiled import CompiledRunner
from noob_runners.errors import (
    CallTimeoutError,
    ExecutorError,
    PlacementError,
    PoisonedCallError,
    StalledEpochError,
    UnknownSignalError,
    UnpicklableError,
    WorkerLostError,
    WorkerStartError,
)
from noob_runners.event_store import Eviction, FastEventStore
from noob_runners.multiprocess import MultiProcessRunner
from noob_runners.tube import IndexedTube

__all__ = [
    "CallTimeoutError",
    "CompiledRunner",
    "Eviction",
    "ExecutorError",
    "FastEventStore",
    "IndexedTube",
    "MultiProcessRunner",
    "PlacementError",
    "PoisonedCallError",
    "StalledEpochError",
    "UnknownSignalError",
    "UnpicklableError",
    "WorkerLostError",
    "WorkerStartError",
]
