"""What each component is, whichever implementation runs: its methods, what they take and raise."""

from noob_runners.components.interfaces.buffers import (
    Buffer,
    BufferPool,
    BufferReader,
    HandleFields,
)
from noob_runners.components.interfaces.scheduler import Scheduler
from noob_runners.components.interfaces.serializer import Serializer
from noob_runners.components.interfaces.store import EventStore

__all__ = [
    "Buffer",
    "BufferPool",
    "BufferReader",
    "EventStore",
    "HandleFields",
    "Scheduler",
    "Serializer",
]
