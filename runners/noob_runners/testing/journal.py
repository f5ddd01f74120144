"""The journal: what nodes and assets were initialised and deinitialised, in which order, by label.

It lives in this process: a runner whose nodes live elsewhere is not seen by it.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Journal = dict[str, list[str]]

_open: list[defaultdict[str, list[str]]] = []


def record(label: str, what: str) -> None:
    """Write that ``what`` happened to ``label`` in every open journal."""
    for journal in _open:
        journal[label].append(what)


@contextmanager
def journal() -> Iterator[Journal]:
    """Open a journal: a mapping of label to what happened to it until the context is left."""
    entries: defaultdict[str, list[str]] = defaultdict(list)
    _open.append(entries)
    try:
        yield entries
    finally:
        # by identity: journals with equal entries may be open at the same time
        _open[:] = [other for other in _open if other is not entries]
