"""Which of the machine's memory is near which processor."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["Topology"]

_NODES = "/sys/devices/system/node"
_MOST = 1 << 16
"""More processors than any machine has."""
_PART = re.compile(r"(\d+)(?:-(\d+))?")


class Topology:
    """The nodes of a machine; none where it has only one, or does not tell.

    Args:
        root: folders ``node0``, ``node1``, ... each with a file ``cpulist`` such as ``0-3,8-11``.
    """

    def __init__(self, root: str | os.PathLike[str] | None) -> None:
        self._nodes: dict[int, int] = {}
        for folder in Path(root or _NODES).glob("node*"):
            number = folder.name.removeprefix("node")
            if number.isdecimal():
                for cpu in _processors(folder / "cpulist"):
                    self._nodes[cpu] = int(number)
        if len(set(self._nodes.values())) < 2:  # noqa: PLR2004 (several)
            self._nodes.clear()
        self._cpu: Callable[[], int] = getattr(ctypes.CDLL(None), "sched_getcpu", lambda: -1)

    def here(self) -> int:
        """The node that this thread runs on; 0 if that is not known."""
        return self._nodes.get(self._cpu(), 0) if self._nodes else 0


def _processors(file: Path) -> list[int]:
    try:
        text = file.read_text()
    except OSError:  # not such a folder after all
        return []
    found: list[int] = []
    for part in text.strip().split(","):
        match = _PART.fullmatch(part)
        if match is not None:
            begin, end = match.groups()
            found += range(int(begin), min(int(end or begin), _MOST) + 1)
    return found
