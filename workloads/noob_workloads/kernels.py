"""The functions that nodes run, each usable as a node's `type` in any NOOB tube.

Every kernel returns a digest of its node's number and of its inputs' digests, in their order, so
that one wrong, lost, repeated or swapped value anywhere changes the number at the end. With
`h = SEED ^ node`, then for each input `h = ((h ^ input) * FACTOR) mod 2**64`, the digest is
`h ^ (h >> 32)`. FACTOR is odd, so each step is a bijection of `h` and of the input: a single
wrong input is never missed. The multiplication carries differences up, the last shift brings
them down again for the next node, and between them xor keeps the whole from being linear, in
which case two errors could cancel out.
"""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

SEED = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: arbitrary bits."""
FACTOR = 0xD6E8FEB86659FD93
"""An odd 64-bit multiplier with well mixed bits."""
MASK = 0xFFFF_FFFF_FFFF_FFFF
SOURCE = 2**32
"""The source's number in digests: no node can have it."""
DIGEST_BYTES = 8

COMPUTE_RATE = 1_000_000
"""Iterations that `compute` does for each second asked of it."""
COMPUTE_SIZE = 1024
MEMORY_RATE = 10_000_000_000
"""Bytes that `memory` reads for each second asked of it."""
MEMORY_BYTES = 64 * 2**20
"""Larger than most last-level caches, and small beside a workload's own memory."""


def noop(*inputs: Any, node: int) -> int:
    """Do nothing but digest the inputs: what remains is the runner's own cost.

    Args:
        inputs: Digests, or `payload` arrays that begin with one.
        node: The node's number.
    """
    digest = SEED ^ node
    try:
        for value in inputs:
            digest = (digest ^ value) * FACTOR & MASK
    except OverflowError:
        # An array of bytes cannot take part in 64-bit arithmetic. Testing every value's type
        # first would cost more than the digest of two integers does.
        return noop(*map(digest_of, inputs), node=node)
    return digest ^ digest >> 32


def digest_of(value: Any) -> int:
    """The digest that an output carries: itself, or the first 8 bytes of an array of bytes."""
    return value if isinstance(value, int) else int.from_bytes(value[:DIGEST_BYTES], "little")


def epochs() -> Generator[int, None, None]:
    """Yield one digest an epoch, from epoch 0 on: the source of every tube."""
    for epoch in itertools.count():
        yield noop(epoch, node=SOURCE)


def busy(*inputs: Any, node: int, seconds: float) -> int:
    """Keep a CPU busy for this thread's CPU time of `seconds`, holding the interpreter's lock.

    CPU time (`time.thread_time`), not wall time: against the wall clock, threads that wait for
    each other's lock, or processes that share a core, would all seem to finish their work at
    once. The clock's resolution is the limit: 1 ns on Linux and macOS, 16 ms on Windows.
    """
    if seconds > 0:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
    return noop(*inputs, node=node)


def compute(*inputs: Any, node: int, iterations: int) -> int:
    """Multiply and add on an array of 8 KiB, `iterations` times; numpy lets other threads run.

    The work is fixed and the time is not: a machine that takes longer is slower.
    """
    if iterations > 0:
        array = np.ones(COMPUTE_SIZE)
        for _ in range(iterations):
            array *= 0.999
            array += 0.001
    return noop(*inputs, node=node)


def memory(*inputs: Any, node: int, nbytes: int) -> int:
    """Read `nbytes` of a 64 MiB array that is shared by the process's nodes, round and round.

    Each node starts where the one before it stops, so that nothing is found in a cache. As with
    `compute`, the work is fixed and the time is the machine's.
    """
    if nbytes > 0:
        array = _stream()
        left = nbytes // array.itemsize
        place = node * left % array.size
        while left > 0:
            part = array[place : place + left]
            part.sum()
            left -= part.size
            place = 0
    return noop(*inputs, node=node)


def wait(*inputs: Any, node: int, seconds: float) -> int:
    """Sleep for `seconds`, as a node does that waits for a disk or a network."""
    if seconds > 0:
        time.sleep(seconds)
    return noop(*inputs, node=node)


def payload(*inputs: Any, node: int, output_bytes: int, seconds: float = 0.0) -> NDArray[np.uint8]:
    """Return `output_bytes` bytes, after keeping a CPU busy for `seconds` as `busy` does.

    Returns:
        uint8[output_bytes], of which the first 8 are the digest, least significant byte first,
        and the others repeat that byte: all are written, so all the memory is really there.
    """
    digest = busy(*map(digest_of, inputs), node=node, seconds=seconds)
    output = np.full(output_bytes, digest & 0xFF, dtype=np.uint8)
    output[:DIGEST_BYTES] = bytearray(digest.to_bytes(DIGEST_BYTES, "little"))
    return output


@functools.cache
def _stream() -> NDArray[np.float64]:
    """The array that `memory` reads, written once so that its pages are real and distinct."""
    return np.ones(MEMORY_BYTES // 8)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A node function, and how a workload's duration becomes its parameter.

    Attributes:
        function: The node function.
        description: What it does, in one line.
        amount: The parameter that says how much work to do; None if it never does any.
        rate: Whole units of work a second; None if the amount is the seconds themselves.
        sized: Whether it returns as many bytes as the workload asks for.
    """

    function: Callable[..., Any]
    description: str
    amount: str | None = "seconds"
    rate: float | None = None
    sized: bool = False

    def amounts(self, durations: NDArray[np.float64]) -> list[float]:
        """The work of each node, from its seconds: whole numbers where there is a rate."""
        if self.rate is None:
            return list(durations.tolist())
        return list(np.rint(durations * self.rate).astype(np.int64).tolist())


KERNELS: dict[str, Kernel] = {
    "noop": Kernel(noop, "no work: the runner's own cost", amount=None),
    "busy": Kernel(busy, "spins for the given CPU time, holding the interpreter's lock"),
    "compute": Kernel(
        compute,
        f"numpy arithmetic, {COMPUTE_RATE:,} iterations for each second asked",
        amount="iterations",
        rate=COMPUTE_RATE,
    ),
    "memory": Kernel(
        memory,
        f"streams an array, {MEMORY_RATE / 1e9:g} GB for each second asked",
        amount="nbytes",
        rate=MEMORY_RATE,
    ),
    "wait": Kernel(wait, "sleeps for the given time, as input and output do"),
    "payload": Kernel(payload, "returns the given number of bytes as an array", sized=True),
}
"""Every kernel by its name."""
