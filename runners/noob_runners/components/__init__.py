"""Which implementation of each component runs.

The native one where `noob_fast` is installed, else its twin in Python. The environment variable
`NOOB_FAST=0` forces the twins.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Literal

from noob_runners.components.serializer_errors import FrameError, UnserializableError

if TYPE_CHECKING:
    from noob_runners.components.block_py import ValueBlock
    from noob_runners.components.buffers_py import (
        Buffer,
        BufferPool,
        BufferReader,
        DoubleFreeError,
        Handle,
        UseAfterFreeError,
    )
    from noob_runners.components.driver_py import EpochDriver, EpochRun
    from noob_runners.components.scheduler_py import FastScheduler
    from noob_runners.components.serializer_py import FastSerializer
    from noob_runners.components.store_py import Emitted, StoreCore

    NATIVE: bool

__all__ = [
    "NATIVE",
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
    "NativeMissingWarning",
    "StoreCore",
    "UnserializableError",
    "UseAfterFreeError",
    "ValueBlock",
    "build",
]


class NativeMissingWarning(RuntimeWarning):
    """The native components are not installed; their slower twins in Python run instead."""


def _native_wanted() -> bool:
    if os.environ.get("NOOB_FAST") == "0":
        return False
    try:
        import noob_fast  # noqa: F401, PLC0415 (whether it is there is the question)
    except ImportError as error:
        warnings.warn(
            f"noob_fast cannot be imported ({error}): the slower Python components run instead. "
            "Install noob-fast, or set NOOB_FAST=0 to choose them.",
            NativeMissingWarning,
            stacklevel=2,
        )
        return False
    return True


if not TYPE_CHECKING:
    NATIVE = _native_wanted()
    if NATIVE:
        from noob_fast import (
            Buffer,
            BufferPool,
            BufferReader,
            DoubleFreeError,
            Emitted,
            EpochDriver,
            EpochRun,
            FastScheduler,
            FastSerializer,
            Handle,
            StoreCore,
            UseAfterFreeError,
            ValueBlock,
        )
    else:
        from noob_runners.components.block_py import ValueBlock
        from noob_runners.components.buffers_py import (
            Buffer,
            BufferPool,
            BufferReader,
            DoubleFreeError,
            Handle,
            UseAfterFreeError,
        )
        from noob_runners.components.driver_py import EpochDriver, EpochRun
        from noob_runners.components.scheduler_py import FastScheduler
        from noob_runners.components.serializer_py import FastSerializer
        from noob_runners.components.store_py import Emitted, StoreCore


def build() -> Literal["release", "debug", "python"]:
    """How the components in use were built: a `debug` build must not be measured."""
    if not NATIVE:
        return "python"
    import noob_fast  # noqa: PLC0415 (only where it is in use)

    return "debug" if noob_fast.BUILD == "debug" else "release"
