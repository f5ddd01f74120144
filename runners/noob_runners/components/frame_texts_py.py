"""Checks that the text of numpy's arrays is text: numpy itself believes any four bytes."""

from __future__ import annotations

import sys
from typing import Any


def check_texts(dtype: Any, data: bytes | bytearray | memoryview) -> None:
    """Refuses elements of this dtype that hold what is no text.

    Raises:
        ValueError: for a code point beyond 0x10FFFF, and for texts that lie over one another:
            else a small frame could have the same bytes looked at any number of times.
    """
    if dtype.itemsize == 0 or len(data) == 0 or dtype.kind not in "UV":
        return
    runs = _runs(dtype)
    if sum(bytes_ for _, bytes_, _ in runs) > dtype.itemsize:
        raise ValueError("an array whose texts overlap")
    if runs:
        import numpy as np  # noqa: PLC0415 (only a frame with an array needs it)

        rows = np.frombuffer(data, "u1").reshape(-1, dtype.itemsize)
        for at, bytes_, order in runs:
            codes = np.ascontiguousarray(rows[:, at : at + bytes_]).view(f"{order}u4")
            if codes.size and codes.max() > sys.maxunicode:
                raise ValueError("text with a code point beyond all")


def _runs(dtype: Any) -> list[tuple[int, int, str]]:
    """Where an element has code points in a row: the first byte, how many, their order."""
    if dtype.kind == "U":
        return [(0, dtype.itemsize, dtype.str[0])] if dtype.itemsize else []
    if dtype.subdtype is not None:
        base = dtype.subdtype[0]
        each = _runs(base)
        starts = range(0, dtype.itemsize, base.itemsize) if each else ()
        return [(start + at, *rest) for start in starts for at, *rest in each]  # type: ignore[misc]
    return [
        (field[1] + at, bytes_, order)
        for field in map((dtype.fields or {}).__getitem__, dtype.names or ())
        for at, bytes_, order in _runs(field[0])
    ]
