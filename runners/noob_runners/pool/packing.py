"""Values as bytes: small ones many in one pickle, large ones each by itself and in shared memory.

What is pickled whole travels fast. As soon as one value of a message has a large buffer (or cannot
be pickled), its values are packed one by one instead: a `Packed` can be passed on unopened, and
one that fails spoils no other.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noob_runners.components import Buffer, BufferPool
    from noob_runners.components.interfaces import HandleFields
    from noob_runners.pool.source import Lease

__all__ = [
    "LARGE_BYTES",
    "LargeBufferError",
    "Loans",
    "Packed",
    "Packer",
    "dump_small",
    "has_large_bytes",
    "unpack",
]

_LARGE = 64 << 10
"""Buffers of at least so many bytes go to shared memory: below, copying through a socket is as
quick."""
LARGE_BYTES = 1 << 20
"""So do values that are themselves ``bytes`` of this length; pickle would keep them in band."""

_ALIGNMENT = 64
"""Of each buffer, in bytes: a line of the processor's cache."""


class LargeBufferError(Exception):
    """Something to be pickled as small has a large buffer."""


class Packed(NamedTuple):
    """A value on its way."""

    payload: bytes
    """Its pickle; nothing if it is plain bytes."""
    file: int = -1
    """In which file its buffers are; -1 without buffers."""
    handle: HandleFields = (0, 0, 0, 0)
    """Of the one buffer in that file which holds them."""
    cuts: tuple[tuple[int, int], ...] = ()
    """Where each begins in it, and its length."""
    loan: int = -1
    """The number by which the receiver returns it to the sender."""

    @property
    def length(self) -> int:
        """What is not in its payload."""
        return self.handle[1]

    @property
    def nbytes(self) -> int:
        """Its size."""
        return len(self.payload) + self.length


class Loans:
    """What this side has lent to the other, itself or on loan: it is kept until it is returned."""

    def __init__(self) -> None:
        self._lent: dict[int, Buffer | Lease] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._lent)

    def lend(self, held: Buffer | Lease) -> int:
        """Keep it until its number is returned."""
        self._next += 1
        self._lent[self._next] = held
        return self._next

    def take_back(self, numbers: list[int]) -> None:
        """End loans."""
        for number in numbers:
            self._lent.pop(number, None)

    def clear(self) -> None:
        """End all loans: the other side is dead."""
        self._lent.clear()


def dump_small(thing: Any) -> bytes:
    """Pickle in one piece.

    Raises:
        LargeBufferError: a buffer in it is large.
        Exception: whatever its objects raise.
    """
    return pickle.dumps(thing, 5, buffer_callback=_keep_small)


def has_large_bytes(values: Iterable[Any]) -> bool:
    """Whether one of the values is itself a long ``bytes``."""
    return any(type(value) is bytes and len(value) >= LARGE_BYTES for value in values)


def _keep_small(buffer: pickle.PickleBuffer) -> bool:
    if _nbytes(buffer) >= _LARGE:
        raise LargeBufferError
    return True


def _nbytes(buffer: pickle.PickleBuffer) -> int:
    with memoryview(buffer) as view:
        return view.nbytes


class Packer:
    """Packs the values of one message; an object that occurs more than once is stored once."""

    def __init__(self, buffers: BufferPool | None, number: int, loans: Loans) -> None:
        """Begin a message.

        Args:
            buffers: where large buffers go; None if all must stay in band.
            number: by which the receiver knows its file.
            loans: those to the receiver.
        """
        self._buffers = buffers
        self._number = number
        self._loans = loans
        self._done: dict[int, tuple[Any, Packed, Buffer | None]] = {}

    @property
    def shares(self) -> bool:
        """Whether values may be outside of the message."""
        return self._buffers is not None

    def pack(self, value: Any) -> Packed:
        """Pack a value.

        Raises:
            Exception: whatever its objects raise when they are pickled.
        """
        known = self._done.get(id(value))
        if known is None:
            packed, held = self._pack(value)
            known = self._done[id(value)] = (value, packed, held)  # which keeps it, and so its id
        _, packed, held = known
        return packed if held is None else self.lend(packed, held)

    def lend(self, packed: Packed, held: Buffer | Lease) -> Packed:
        """Lend the buffer of a packed value to the receiver."""
        return packed._replace(loan=self._loans.lend(held))

    def _pack(self, value: Any) -> tuple[Packed, Buffer | None]:
        if self._buffers is None:
            return Packed(pickle.dumps(value, 5)), None
        if type(value) is bytes and len(value) >= LARGE_BYTES:
            payload, buffers = b"", [memoryview(value)]
        else:
            large: list[pickle.PickleBuffer] = []

            def keep(buffer: pickle.PickleBuffer) -> bool:
                if _nbytes(buffer) < _LARGE:
                    return True
                large.append(buffer)
                return False

            payload = pickle.dumps(value, 5, buffer_callback=keep)
            if not large:
                return Packed(payload), None
            buffers = [buffer.raw() for buffer in large]
        cuts, length = [], 0
        for buffer in buffers:
            cuts.append((length, buffer.nbytes))
            length += -(-buffer.nbytes // _ALIGNMENT) * _ALIGNMENT
        try:
            held = self._buffers.acquire(length)
        except OSError:  # there is no room
            return Packed(pickle.dumps(value, 5)), None
        with held.view as view:
            for (start, size), buffer in zip(cuts, buffers, strict=True):
                view[start : start + size] = buffer
        return Packed(payload, self._number, held.handle, tuple(cuts)), held


def unpack(packed: Packed, lease: Lease | None) -> Any:
    """The value; without a lease its buffers are in band.

    Raises:
        Exception: whatever its objects raise.
    """
    if lease is None or lease.source is None:
        return pickle.loads(packed.payload)  # noqa: S301 (it comes from our own processes)
    view = lease.source.reader.open(packed.handle, private=True, keep=lease)
    buffers = [view[start : start + length] for start, length in packed.cuts]
    if not packed.payload:
        return bytes(buffers[0])
    return pickle.loads(packed.payload, buffers=buffers)  # noqa: S301 (as above)
