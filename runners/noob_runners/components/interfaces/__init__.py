"""What each component is, whichever implementation runs: its methods, what they take and raise."""

from noob_runners.components.interfaces.buffers import (
    Buffer,
    BufferPool,
    BufferReader,
    HandleFields,
)
from noob_runners.components.interfaces.scheduler import SchedulerInterface
from noob_runners.components.interfaces.store import EventStoreInterface

__all__ = [
    "Buffer",
    "BufferPool",
    "BufferReader",
    "EventStoreInterface",
    "HandleFields",
    "SchedulerInterface",
]
