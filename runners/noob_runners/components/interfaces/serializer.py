"""What a serializer does, whichever implementation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

__all__ = ["Serializer"]

T = TypeVar("T")


class Serializer(Protocol):
    """Turns values into frames, self-describing pieces of bytes, and back: FastSerializer.

    Made with `FastSerializer(*, allow_pickle=False, max_bytes=1 << 30, max_depth=200, hooks=())`:

    - `allow_pickle`: `dumps` pickles values that it does not know, and `loads` loads pickles. A
      pickle can execute anything: allow it only where the sender is trusted.
    - `max_bytes`: the most bytes that a frame, with what it holds once it is loaded, may take.
      Memory is estimated by the format, on the safe side: 64 bytes a value, more for tables.
      Buffers beside a frame count where `loads` has to copy them, and not where it uses them.
    - `max_depth`: how deep values may nest, from 1 to 1000. In Python the interpreter's limit of
      recursion comes first, at some 300; that is the same error. A level takes up to a KiB of the
      thread's stack: the default depth wants 256 KiB, the greatest 1 MiB, and a thread with less
      (`threading.stack_size`) ends the process.
    - `hooks`: what `register` is to be called with.

    A frame holds None, bool, int of any size, float (bit by bit), str (lone surrogates too),
    bytes, bytearray, memoryview and whatever else has the buffer protocol (as memoryview), list,
    tuple, dict, set, frozenset, date, time, datetime, timedelta, timezone and ZoneInfo, NOOB's
    Epoch, MetaSignal and MetaEventType (whose members stay the same objects), and numpy arrays
    and scalars, arrays of objects element by element. Types are exact: an instance of a subclass
    is of an unknown type. What is referred to twice is written twice, and comes back as two
    objects or as one.

    Loading executes nothing but registered functions and allowed pickles, and imports nothing but
    numpy, noob and zoneinfo. Sets and dicts whose keys' hashes collide so often that making them
    would take time by the square of their number are refused, as are time zones that
    `zoneinfo.available_timezones()` does not list, dtypes whose fields lie beyond their structure,
    and texts of arrays that overlap or are no text. The checksum of a frame
    finds alteration by accident; it is no authentication. Data must not change while it is loaded.

    An instance may be used by several threads at once.
    """

    def dumps(
        self, value: Any, *, buffer_callback: Callable[[memoryview], object] | None = None
    ) -> bytes:
        """The frame of a value.

        Args:
            value: What to write.
            buffer_callback: Called with each buffer of at least 4096 bytes, in order, as a flat
                memoryview, without a copy if it is contiguous: bytes, bytearray, memoryview and
                the data of arrays. Without it all buffers are copied into the frame.

        Raises:
            UnserializableError: for a value that no frame can hold, naming its type and the path
                to it, and for values that nest too deep, as those that contain themselves do.
            FrameError: if the frame would take more than `max_bytes`.
        """
        ...

    def loads(self, data: Buffer, *, buffers: Iterable[Buffer] | None = None) -> Any:
        """The value of a frame.

        Args:
            data: The frame, all of it.
            buffers: What `buffer_callback` was called with, or as many bytes elsewhere, in order.
                Arrays and memoryviews are views of them, read-only where the buffer is; a bytes
                or bytearray is the given object if it is of that type, and else a copy. What
                was copied into the frame is copied out of it, and writable.

        Raises:
            FrameError: if the frame is truncated, altered, of another version, beyond a limit, or
                holds what cannot be made, or a buffer is none or of another length; with the byte
                where that was found.
            ImportError: if it holds a value of numpy, noob or zoneinfo, and there is none.
        """
        ...

    def dumps_many(self, values: Iterable[Any]) -> list[bytes]:
        """The frame of each value, all buffers within. One after the other: see `loads_many`."""
        ...

    def loads_many(self, frames: Iterable[Buffer]) -> list[Any]:
        """The value of each frame, which has no buffers beside it.

        One after the other: what can be done without Python's objects, the checksums, is about a
        hundredth of the time, so that there is nothing for more threads to gain.
        """
        ...

    def register(
        self, cls: type[T], name: str, encode: Callable[[T], Any], decode: Callable[[Any], T]
    ) -> None:
        """Makes values of exactly this type writable, and what was written of them readable.

        Args:
            cls: The type.
            name: What frames call it; whoever loads them must have registered the same name.
            encode: Gives what is written instead, of any type that a frame can hold. What it
                raises, `dumps` raises.
            decode: Makes a value of that. What it raises, `loads` raises.

        Raises:
            ValueError: if the type is written without a hook, or the type or the name is
                registered already.
        """
        ...
