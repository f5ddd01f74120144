"""What FastSerializer raises.

The exceptions are noob_fast's where it is installed, so that both implementations raise the very
same classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["FrameError", "UnserializableError"]

if TYPE_CHECKING:
    from noob_fast import FrameError, UnserializableError
else:
    try:
        from noob_fast import FrameError, UnserializableError
    except ImportError:

        class FrameError(ValueError):
            """A frame that is truncated, altered, hostile or beyond a limit."""

        class UnserializableError(TypeError):
            """A value that no frame can hold."""
