"""Native components for NOOB runners, in Rust: used by `noob_runners` where they are installed."""

from noob_fast._native import (
    BUILD,
    Buffer,
    BufferPool,
    BufferReader,
    DoubleFreeError,
    EpochDriver,
    EpochRun,
    FastScheduler,
    UseAfterFreeError,
    ValueBlock,
)
from noob_fast.handle import Handle

__all__ = [
    "BUILD",
    "Buffer",
    "BufferPool",
    "BufferReader",
    "DoubleFreeError",
    "EpochDriver",
    "EpochRun",
    "FastScheduler",
    "Handle",
    "UseAfterFreeError",
    "ValueBlock",
]
