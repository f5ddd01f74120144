"""Buffers: BufferPool and its twin, bare shared memory, and copies through a pipe.

A second process is forked, so that it has whatever the pool's descriptor stands for. Both read the
same clock, so the way to the reader is timed without the way back.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import pickle
import random
import sys
from abc import abstractmethod
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from noob_perf.errors import UnsupportedError
from noob_perf.measure.memory import anonymous_bytes, memory_now
from noob_perf.measure.subject import (
    Operation,
    Reading,
    Subject,
    WrongResultError,
    expect,
    native,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob_perf.measure.subject import Case

VIEW = "acquire, to a view in another process"
CYCLE = "acquire, fill, sum in another process, release"
OVERHEAD = "memory beside what is in use"

HELD, MIX = "buffers held, bytes each", "mix of buffers held, bytes in all"
"""The kinds of cases in which many are held; of any other, one is passed on at a time."""

_HELD_BYTES = 64 * 2**20
"""How much is in use while the overhead is measured, or one buffer if that is more."""
_ANSWER_S = 30.0
"""How long the other process may take."""
_ITEM = 8
"""Bytes of an item: buffers are filled and summed as unsigned integers."""
_LOST = 0.002
"""If more of what is in use is not found in memory, the measurement is wrong."""
_MIXED = 64 * 2**10, 16 * 2**20
"""The least and the most bytes of a buffer of a mix, whose logarithms are evenly spread."""


class _Buffers(Subject):
    """What all have in common: a process that reads, and the stamps that it must have read."""

    def prepare(self) -> Mapping[str, Operation | str]:
        """Start the reader."""
        self.items = self.case.size // _ITEM
        self.stamp = 0
        self.files_before = memory_now().shared_bytes
        self.begin()
        resource_tracker.ensure_running()  # so that both processes have the same one
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.reader = context.Process(
            target=_read, args=(theirs, self.pipe, self.open, self.close), daemon=True
        )
        self.reader.start()
        theirs.close()
        return self.offer()

    def stop(self) -> None:
        """Stop the reader."""
        self.pipe.close()
        self.reader.join(_ANSWER_S)

    def begin(self) -> None:
        """Make what the reader must know."""

    @abstractmethod
    def acquire(self, nbytes: int) -> tuple[Any, Any, Any]:
        """Return a buffer, something to write into, and what the reader is sent."""

    @abstractmethod
    def release(self, buffer: Any) -> None:
        """Give a buffer back; nobody looks at it any more."""

    @abstractmethod
    def open(self, sent: Any) -> tuple[Any, Any]:
        """In the reader: return what was opened, and something to read from."""

    def close(self, opened: Any) -> None:
        """In the reader: close what was opened; nobody looks at it any more."""

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        return {
            VIEW: Operation(lambda _: self.view(), self.check),
            CYCLE: Operation(lambda _: self.cycle(), self.check),
        }

    def send(self, sent: Any, *, summed: bool) -> None:
        """Send to the reader, who is to sum it or not."""
        self.pipe.send_bytes(pickle.dumps((summed, sent), 5))

    def view(self) -> Reading:
        """Acquire a buffer and mark its ends; the time ends as the reader has read them."""
        start = perf_counter()
        buffer, writable, sent = self.acquire(self.case.size)
        array = np.frombuffer(writable, np.uint64, self.items)
        self.stamp += 1
        array[0] = array[-1] = self.stamp
        self.send(sent, summed=False)
        del array, writable, sent
        at, answer = self.hear()
        self.release(buffer)
        return Reading(at - start, (answer, (self.stamp, self.stamp, 0)))

    def cycle(self) -> Any:
        """Acquire, fill, have it summed, release."""
        buffer, writable, sent = self.acquire(self.case.size)
        array = np.frombuffer(writable, np.uint64, self.items)
        self.stamp += 1
        array.fill(self.stamp)
        self.send(sent, summed=True)
        del array, writable, sent
        _, answer = self.hear()
        self.release(buffer)
        return answer, (self.stamp, self.stamp, self.stamp * self.items)

    def hear(self) -> tuple[float, Any]:
        """Wait for the reader."""
        if not self.pipe.poll(_ANSWER_S):
            raise TimeoutError(f"the reader has not answered within {_ANSWER_S:g} s")
        at, answer = self.pipe.recv()
        if isinstance(answer, str):
            raise RuntimeError(f"in the reader: {answer}")  # noqa: TRY004 - it is not of a wrong type
        return at, answer

    def check(self, both: tuple[Any, Any]) -> None:
        """Check what the reader has read: the ends, and the sum."""
        answer, wanted = both
        expect(answer, wanted, "what the reader saw")


class _Held(_Buffers):
    """A kind of buffers of which many can be held at a time."""

    def offer(self) -> Mapping[str, Operation | str]:
        if self.case.kind not in (HELD, MIX):
            return super().offer()
        self.sizes = sizes_of(self.case)
        return {OVERHEAD: Operation(lambda _: self.hold(), self.check_held, once=True)}

    def hold(self) -> Reading:
        """Acquire many buffers, fill them, and see what that takes.

        That is all memory files, with what the pool has kept from before, and what the process's
        own memory grows by: what that shrinks by is nothing that the buffers have saved.
        """
        buffers: list[Any] = []
        own = anonymous_bytes()
        for nbytes in self.sizes:
            buffer, writable, _sent = self.acquire(nbytes)
            np.frombuffer(writable, np.uint8, nbytes).fill(1)
            buffers.append(buffer)
        del buffer, writable, _sent
        gc.collect()
        files = memory_now().shared_bytes - self.files_before
        share = (files + max(0, anonymous_bytes() - own)) / sum(self.sizes)
        while buffers:
            self.release(buffers.pop())
        return Reading(share - 1, share)

    def check_held(self, share: float) -> None:
        """Check that the memory in use was found at all."""
        if share < 1 - _LOST:
            raise WrongResultError(f"only {share:.1%} of what is in use was found in memory")


def sizes_of(case: Case) -> list[int]:
    """The sizes in bytes of the buffers that are held: all the same, or drawn by a seed."""
    if case.kind != MIX:
        return [case.size] * max(1, _HELD_BYTES // case.size)
    rng = random.Random(0)  # noqa: S311 - a seed, no secret
    least, most = _MIXED
    sizes: list[int] = []
    while sum(sizes) < case.size:
        sizes.append(int(least * (most / least) ** rng.random()))
    return sizes


class _Pool(_Held):
    """BufferPool."""

    def __init__(self, module: Callable[[str], Any], case: Case) -> None:
        super().__init__(case)
        self.pool_class = module("BufferPool")
        self.reader_class = module("BufferReader")

    def begin(self) -> None:
        self.pool = self.pool_class()
        self.opener: Any = None

    def acquire(self, nbytes: int) -> tuple[Any, Any, Any]:
        buffer = self.pool.acquire(nbytes)
        return buffer, buffer.view, buffer.handle

    def release(self, buffer: Any) -> None:
        buffer.release()

    def open(self, sent: Any) -> tuple[Any, Any]:
        if self.opener is None:
            self.opener = self.reader_class(self.pool.descriptor)
        view = self.opener.open(sent)
        return view, view

    def close(self, opened: Any) -> None:
        with contextlib.suppress(BufferError):
            opened.release()


class Native(_Pool):
    """noob_fast's BufferPool."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(native, case)


class Twin(_Pool):
    """BufferPool in Python."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(lambda name: twin("buffers_py", name), case)


class Shared(_Held):
    """multiprocessing.shared_memory, created and unlinked for each buffer."""

    def acquire(self, nbytes: int) -> tuple[Any, Any, Any]:
        """Create a block of shared memory."""
        block = SharedMemory(create=True, size=nbytes)
        return block, block.buf, block.name

    def release(self, buffer: Any) -> None:
        """Unlink the block."""
        buffer.close()
        buffer.unlink()

    def open(self, sent: Any) -> tuple[Any, Any]:
        """Attach to the block."""
        if sys.version_info >= (3, 13):
            block = SharedMemory(sent, track=False)
        else:
            block = SharedMemory(sent)
        return block, block.buf

    def close(self, opened: Any) -> None:
        """Detach from it."""
        opened.close()


class Reused(Shared):
    """multiprocessing.shared_memory, created and attached to once."""

    def begin(self) -> None:
        """Create the block."""
        self.block = super().acquire(self.case.size)
        self.attached: tuple[Any, Any] | None = None

    def stop(self) -> None:
        """Stop the reader, and unlink the block."""
        super().stop()
        super().release(self.block[0])

    def acquire(self, _nbytes: int) -> tuple[Any, Any, Any]:
        """Take the block."""
        return self.block

    def release(self, buffer: Any) -> None:
        """Do nothing: there is one block."""

    def open(self, sent: Any) -> tuple[Any, Any]:
        """Attach to the block, the first time."""
        if self.attached is None:
            self.attached = super().open(sent)
        return self.attached

    def close(self, opened: Any) -> None:
        """Stay attached."""


class Copied(_Buffers):
    """An array that is there already, pickled by protocol 5 and sent through a pipe."""

    def begin(self) -> None:
        """Make the array."""
        if self.case.size < _ITEM:
            raise UnsupportedError(f"a buffer has at least {_ITEM} bytes")
        self.array = np.zeros(self.items, np.uint64)

    def acquire(self, _nbytes: int) -> tuple[Any, Any, Any]:
        """Take the array, which is what is sent."""
        return None, self.array, self.array

    def release(self, buffer: Any) -> None:
        """Do nothing: there is one array."""

    def open(self, sent: Any) -> tuple[Any, Any]:
        """Take what came."""
        return None, sent


def _read(
    pipe: Any, other_end: Any, open_: Callable[[Any], Any], close: Callable[[Any], None]
) -> None:
    """Open what comes, read its ends, sum it if asked to, and say when they were read."""
    other_end.close()
    while True:
        try:
            summed, sent = pickle.loads(pipe.recv_bytes())  # noqa: S301 - ours
        except EOFError:
            return
        try:
            opened, readable = open_(sent)
            array = np.frombuffer(readable, np.uint64)
            ends = int(array[0]), int(array[-1])
            at = perf_counter()
            answer: Any = (*ends, int(array.sum()) if summed else 0)
            del array, readable, sent
            close(opened)
        except Exception as error:  # noqa: BLE001 - the other process tells what happened
            at, answer = perf_counter(), f"{type(error).__name__}: {error}"
        pipe.send((at, answer))
