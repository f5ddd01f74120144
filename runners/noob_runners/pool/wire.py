"""Framed messages over a socket: a header, a payload, and now and then an open file beside them.

Both ends are ours, yet a header is checked before it is believed: a length that cannot be true
must not make a process wait, or reserve memory, for ever.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from noob_runners.pool.source import Source

__all__ = ["FLUSH", "GIVE", "Frame", "Inbox", "Kind", "Outbox", "ProtocolError", "frame_header"]

_HEADER = struct.Struct("<4sIQQQ")
_MAGIC = b"noob"
_LONGEST = 1 << 36
"""Bytes of the longest payload that is believed."""
_ROOM = 1 << 18
"""Bytes that are read at once."""
_DESCRIPTOR = array.array("i").itemsize


GIVE = b"!"
"""What a coordinator rings to have calls given back."""
FLUSH = b"."
"""What it rings to have outcomes sent that a worker holds back while it runs a long call."""


class ProtocolError(ConnectionError):
    """What came over a socket is no frame of ours."""


class Kind(IntEnum):
    """What a frame is about."""

    RECIPES = 1
    CALLS = 2
    """Calls whose values are small, in one pickle."""
    HEAVY = 3
    """One call, or one result, each of its values packed by itself."""
    RELEASE = 4
    """Numbers of loans that the other side may have back."""
    FILE = 5
    """A file in which values will lie; it comes with the frame."""
    CLOSE = 6
    """A file that is not needed any more."""
    FORGET = 7
    """To a worker: drop your calls. From it: it has."""
    AGAIN = 8
    """The frame of that number could not be read: send it again, value by value."""
    STOP = 9
    READY = 10
    RESULTS = 11
    GIVEN = 12
    """Tickets of calls that a worker gives back for others to run."""


class Frame(NamedTuple):
    """A message."""

    kind: Kind
    number: int
    """Counts the frames that can be asked for again; of other frames, what their kind says."""
    seen: int
    """The number of the last frame from the other side that was read well."""
    payload: memoryview
    """Good only until more is received."""


def frame_header(kind: Kind, length: int, number: int = 0, seen: int = 0) -> bytes:
    """What goes before a payload of so many bytes."""
    return _HEADER.pack(_MAGIC, kind, length, number, seen)


class Inbox:
    """Takes frames, and open files, out of a socket."""

    def __init__(self, sock: socket.socket, *, descriptors: bool = False) -> None:
        self._sock = sock
        self._room = bytearray(_ROOM)
        self._start = self._end = 0
        self._ancillary = socket.CMSG_SPACE(_DESCRIPTOR) if descriptors else 0
        self.descriptors: deque[int | None] = deque()
        """The files that came, in order; None for one that this process had no room for."""

    def receive(self, flags: int = 0) -> list[Frame]:
        """Read once, and return the frames that are complete by then.

        Args:
            flags: ``MSG_DONTWAIT``, where it must not wait.

        Raises:
            EOFError: the other side has closed the socket.
            BlockingIOError: there is nothing to read, and it must not wait.
            ProtocolError: what came is no frame.
            OSError: the socket's.
        """
        self._make_room()
        with memoryview(self._room) as whole, whole[self._end :] as free:
            size = self._read(free, flags)
        if not size:
            left = self._end - self._start
            raise EOFError(
                f"closed in the middle of a frame, after {left} bytes of it" * (left > 0)
            )
        self._end += size
        return self._take()

    def _read(self, free: memoryview, flags: int) -> int:
        if not self._ancillary:
            return self._sock.recv_into(free, 0, flags)
        size, items, happened, _ = self._sock.recvmsg_into([free], self._ancillary, flags)
        for _, _, data in items:
            files = array.array("i", data[: len(data) - len(data) % _DESCRIPTOR])
            self.descriptors.extend(files)
            for file in files:
                os.set_inheritable(file, False)  # noqa: FBT003 (it takes no keyword)
        if happened & socket.MSG_CTRUNC:
            self.descriptors.append(None)
        return size

    def _make_room(self) -> None:
        waiting = self._end - self._start
        if not waiting:
            self._start = self._end = 0
            if len(self._room) > _ROOM:
                self._room = bytearray(_ROOM)
            return
        need = _ROOM
        if waiting >= _HEADER.size:
            need = max(need, _HEADER.size + self._header()[1])
        if self._start or need > len(self._room):
            # Frames handed out before may still be looked at, so nothing is moved within the room.
            room = bytearray(need)
            room[:waiting] = memoryview(self._room)[self._start : self._end]
            self._room, self._start, self._end = room, 0, waiting

    def _header(self) -> tuple[int, int, int, int]:
        magic, kind, length, number, seen = _HEADER.unpack_from(self._room, self._start)
        if magic != _MAGIC or length > _LONGEST:
            raise ProtocolError(f"no frame of ours: begins with {magic!r}, length {length}")
        return kind, length, number, seen

    def _take(self) -> list[Frame]:
        frames: list[Frame] = []
        view = memoryview(self._room)
        while self._end - self._start >= _HEADER.size:
            kind, length, number, seen = self._header()
            begin = self._start + _HEADER.size
            if self._end < begin + length:
                break
            try:
                known = Kind(kind)
            except ValueError:
                raise ProtocolError(f"no kind of frame has the number {kind}") from None
            frames.append(Frame(known, number, seen, view[begin : begin + length]))
            self._start = begin + length
        return frames


class Outbox:
    """Puts frames into a socket that does not block, and keeps what it does not take yet."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting: deque[tuple[memoryview, Source | None]] = deque()

    def __len__(self) -> int:
        """How many pieces wait."""
        return len(self._waiting)

    def put(self, *pieces: bytes, file: Source | None = None) -> None:
        """Append bytes; a file goes with the first of them."""
        if sum(map(len, pieces)) <= _ROOM:
            # In one piece: a header alone would wake the reader for nothing.
            pieces = (b"".join(pieces),)
        for piece in pieces:
            if piece:
                self._waiting.append((memoryview(piece), file))
                file = None

    def flush(self) -> None:
        """Send as much as the socket takes.

        Raises:
            OSError: the socket's.
        """
        while self._waiting:
            piece, file = self._waiting[0]
            try:
                if file is None:
                    sent = self._sock.send(piece)
                else:
                    sent = socket.send_fds(self._sock, [piece], [file.descriptor])
            except BlockingIOError:
                return
            if sent == len(piece):
                self._waiting.popleft()
            else:
                self._waiting[0] = (piece[sent:], None)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
