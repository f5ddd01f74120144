"""Files of buffers as those see them who borrow: what is lent, and what is mapped of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from noob_runners.components import BufferReader

if TYPE_CHECKING:
    from collections import deque

__all__ = ["Lease", "Source"]


class Source:
    """A file of buffers: it is closed when nobody has it."""

    def __init__(self, descriptor: int) -> None:
        """Take an open file over.

        Raises:
            OSError: there is no room for it.
        """
        try:
            self.reader = BufferReader(descriptor)
        finally:
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """Its number in this process."""
        return self.reader.descriptor


class Lease:
    """As long as it lives its number is in use; then it is appended to a list of ended ones.

    Any thread may end it, so nothing else happens then.
    """

    __slots__ = ("__weakref__", "_ended", "number", "source")

    def __init__(self, number: int, ended: deque[int], source: Source | None) -> None:
        self.number = number
        self.source = source
        self._ended = ended

    def __del__(self) -> None:
        self._ended.append(self.number)
