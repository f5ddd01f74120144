"""Native components for NOOB runners, in Rust: used by `noob_runners` where they are installed."""

from noob_fast._native import (
    BUILD,
    Emitted,
    EpochDriver,
    EpochRun,
    FastScheduler,
    StoreCore,
    ValueBlock,
)

__all__ = [
    "BUILD",
    "Emitted",
    "EpochDriver",
    "EpochRun",
    "FastScheduler",
    "StoreCore",
    "ValueBlock",
]
