"""The frame as noob_fast defines it (`src/frame/mod.rs`): tags, header, account of memory."""

from __future__ import annotations

import struct
import zlib

from noob_runners.components.serializer_errors import FrameError

MAGIC = b"\x8eNF\n"
VERSION = 1
HEADER = 24
RECORD_KEYS = 32
RECORD_SHAPES = 1024
BESIDE_FROM = 4096
DEEPEST = 1000

STR, STR_END = 0x80, 0xBF
NONE, FALSE, TRUE = 0xC0, 0xC1, 0xC2
INT8, INT16, INT32, INT64, INT = 0xC3, 0xC4, 0xC5, 0xC6, 0xC7
FLOAT, LONG_STR, SURROGATES = 0xC8, 0xC9, 0xCA
BYTES, BYTEARRAY = 0xCB, 0xCC
BESIDE_BYTES, BESIDE_BYTEARRAY, BESIDE_VIEW = 0xCD, 0xCE, 0xCF
LIST, TUPLE, SET, FROZENSET, DICT = 0xD0, 0xD1, 0xD2, 0xD3, 0xD4
NEW_RECORD, RECORD = 0xD5, 0xD6
FLOATS, INTS = 0xD7, 0xD8
DATE, TIME, DATETIME, TIMEDELTA = 0xDC, 0xDD, 0xDE, 0xDF
PICKLE, HOOK = 0xE0, 0xE1
TIMEZONE, ZONE, EPOCH, META_SIGNAL, META_EVENT = 0xE2, 0xE3, 0xE4, 0xE5, 0xE6
VIEW, ARRAY, OBJECTS, SCALAR = 0xE7, 0xE8, 0xE9, 0xEA

# Bytes in memory, by estimate: (the container, each element).
LIST_COST = (64, 64)
RECORD_COST = (256, 128)
TABLE_COST = (256, 192)
KNOWN_COST = (256, 0)
TEXT_COST = (0, 3)

_HEADER = struct.Struct("<4sB3xQII")


class DepthError(Exception):
    """Values nest deeper than allowed."""


class Account:
    """What is read or written so far, in memory and depth.

    Args:
        max_bytes: The most bytes that the frame and what it holds may take.
        max_depth: The most values within values.
    """

    def __init__(self, max_bytes: int, max_depth: int) -> None:
        self.max_bytes = max_bytes
        self.max_depth = max_depth
        self.bytes = 0
        self.depth = 0

    def charge(self, cost: tuple[int, int], count: int) -> None:
        """Takes note of a container of so many elements, or raises FrameError."""
        self.bytes += cost[0] + cost[1] * count
        self.check(0)

    def check(self, frame: int) -> None:
        """Raises FrameError unless so many bytes of frame are allowed beside what is noted."""
        if self.bytes + frame > self.max_bytes:
            raise FrameError(
                f"the frame and what it holds take more memory than max_bytes = {self.max_bytes}"
            )

    def enter(self, cost: tuple[int, int], count: int) -> None:
        """Begins a container, or raises DepthError or FrameError."""
        if self.depth >= self.max_depth:
            raise DepthError(f"values nest deeper than max_depth = {self.max_depth}")
        self.depth += 1
        self.charge(cost, count)

    def leave(self) -> None:
        """Ends the container that began last."""
        self.depth -= 1


def _checksum(frame: memoryview) -> int:
    return zlib.crc32(frame[HEADER:], zlib.crc32(frame[:20]))


def seal(frame: bytearray, buffers: int) -> None:
    """Fills in the header of a frame that has room for it."""
    _HEADER.pack_into(frame, 0, MAGIC, VERSION, len(frame), buffers, 0)
    with memoryview(frame) as view:
        frame[20:HEADER] = _checksum(view).to_bytes(4, "little")


def open_frame(frame: memoryview, account: Account) -> int:
    """The number of buffers beside a frame, or FrameError if the header says it is none."""
    length = len(frame)
    if length <= HEADER:
        raise FrameError(f"truncated: {length} bytes, and a frame has at least {HEADER + 1}")
    magic, version, said, buffers, checksum = _HEADER.unpack_from(frame)
    if magic != MAGIC:
        raise FrameError("not a frame: the magic number at byte 0 is another")
    if version != VERSION:
        raise FrameError(f"version {version} of the format at byte 4; this reads version {VERSION}")
    if any(frame[5:8]):
        raise FrameError("altered: bytes 5 to 7 are not zero")
    if said != length:
        what = "truncated" if said > length else "altered"
        raise FrameError(f"{what}: {length} bytes, and the header says {said} at byte 8")
    account.charge((length, 0), 0)
    found = _checksum(frame)
    if found != checksum:
        raise FrameError(
            f"altered: the checksum is {found:08x}, and the header says {checksum:08x} at byte 20"
        )
    return int(buffers)


def flat(given: object) -> memoryview:
    """The bytes of anything with the buffer protocol, in a row and without a copy."""
    view = memoryview(given)  # type: ignore[arg-type]  # TypeError where it has no buffer
    if "O" in view.format:
        raise TypeError("a buffer of objects")
    if view.nbytes == 0:
        return memoryview(b"")
    if view.ndim == 1 and view.format == "B" and view.c_contiguous:
        return view
    return view.cast("B")
