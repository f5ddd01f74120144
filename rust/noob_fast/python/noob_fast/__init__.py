"""Native components for NOOB runners, in Rust: used by `noob_runners` where they are installed."""

from noob_fast._native import (
    BUILD,
    Buffer,
    BufferPool,
    BufferReader,
    DoubleFreeError,
    Emitted,
    EpochDriver,
    EpochRun,
    FastScheduler,
    FastSerializer,
    FrameError,
    StoreCore,
    UnserializableError,
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
    "Emitted",
    "EpochDriver",
    "EpochRun",
    "FastScheduler",
    "FastSerializer",
    "FrameError",
    "Handle",
    "StoreCore",
    "UnserializableError",
    "UseAfterFreeError",
    "ValueBlock",
]
