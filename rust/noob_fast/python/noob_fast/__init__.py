"""Native components for NOOB runners, in Rust: used by `noob_runners` where they are installed."""

from noob_fast._native import (
    BUILD,
    EpochDriver,
    EpochRun,
    FastScheduler,
    FastSerializer,
    FrameError,
    UnserializableError,
    ValueBlock,
)

__all__ = [
    "BUILD",
    "EpochDriver",
    "EpochRun",
    "FastScheduler",
    "FastSerializer",
    "FrameError",
    "UnserializableError",
    "ValueBlock",
]
