"""Feeds damaged and hostile frames to both serializers, which must agree on every one.

`python serializer_fuzz.py COUNT [SEED]` runs as many as one likes, in a process of their own, so
that a crash names its seed; the tests run a few. Damage finds what is wrong with tags and lengths;
descriptions of types and keys are made hostile on purpose.
"""

from __future__ import annotations

import importlib
import multiprocessing
import random
import resource
import sys
import time
import warnings
import zlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from noob.event import MetaSignal
from noob_core import Epoch
from serializer_help import same

from noob_runners.components import serializer_py
from noob_runners.components.serializer_errors import FrameError

LIMIT = 1 << 20
HEADER = 24
_BUFFER = bytes(5000)


def _seeds() -> list[bytes]:
    """Frames of every tag."""
    serializer = serializer_py.FastSerializer(hooks=[_HOOK])
    row = {"id": 1, "name": "n", "vals": [0.5, -0.0], "ok": True, "s": "x" * 70}
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    values: list[Any] = [
        [row, row, {"other": None}, dict.fromkeys(range(40))],
        [{**row, "id": i, "epoch": Epoch(i, [("n", 2)]), "at": moment} for i in range(3)],
        (1, 200, -3, 70_000, 1 << 40, -(1 << 90), 1.5, False, "é\ud800", "ü", b"b", bytearray(3)),
        {(1, 2): {3}, frozenset([4]): MetaSignal.NoEvent, 1.5: date(2026, 1, 1)},
        [timedelta(1, 2, 3), moment.timetz(), moment.replace(tzinfo=ZoneInfo("Europe/Zurich"))],
        [[1, 2], [300, -300], [70_000], [1 << 40], _Hooked()],
        [np.arange(6.0).reshape(2, 3), np.zeros(2, [("a", "i4"), ("b", ">f8", (2,))])],
        [np.float32(1), np.array([None, [1]], object), memoryview(b"abcd").cast("H")],
        [[[[[[]]]]]],
    ]
    return [serializer.dumps(value) for value in values]


class _Hooked:
    pass


_HOOK = (_Hooked, "hooked", lambda _: [1], lambda payload: ("hooked", payload))


def seal(body: bytes, buffers: int = 0) -> bytes:
    """A frame of this body, with a header that fits."""
    head = b"\x8eNF\n\1\0\0\0" + (HEADER + len(body)).to_bytes(8, "little")
    head += buffers.to_bytes(4, "little")
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "little") + body


def _mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    body = bytearray(rng.choice(seeds)[HEADER:])
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(body) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            del body[at:]
        elif kind == 1 and body:
            body[at % len(body)] ^= 1 << rng.randrange(8)
        elif kind == 2 and body:
            body[at % len(body)] = rng.randrange(256)
        elif kind == 3:
            other = rng.choice(seeds)
            start = rng.randrange(HEADER, len(other))
            body[at : at + rng.randrange(9)] = other[start : start + rng.randrange(40)]
        elif kind == 4:
            body[at:at] = bytes([rng.choice((252, 253, 254, 255))]) + rng.randbytes(8)
        elif kind == 5:
            body[at:at] = bytes([rng.randrange(0xC0, 0xF0)]) * rng.choice((1, 1, 2, 300))
        elif kind == 6:
            body[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        else:
            body = bytearray(rng.randbytes(rng.randrange(1, 30)))
    return bytes(body) or b"\xc0"


def _number(rng: random.Random) -> int:
    """A number near a power of two."""
    return max(0, (1 << rng.choice((0, 3, 5, 16, 30, 31, 31, 32, 62, 63, 64))) + rng.randint(-9, 9))


def _dtype(rng: random.Random, depth: int = 0) -> Any:
    """A description of a dtype that may be none."""
    kind = rng.randrange(6 if depth < 3 else 3)
    if kind == 0:
        return rng.choice("<>|") + rng.choice("biufcmMSUVO") + str(rng.choice((1, 2, 4, 8, 9)))
    if kind == 1:
        unit = rng.choice(
            ("s", "ns", "Y", "0s", "25s", "s/0", "s/1", "Y/12", "", "D]", "99999999s")
        )
        return f"<{rng.choice('mM')}8[{unit}]"
    if kind == 2:
        return rng.choice("<|") + rng.choice("SUV") + str(_number(rng))
    if kind == 3:
        return _dtype(rng, depth + 1), tuple(rng.choice((0, 1, 2, _number(rng))) for _ in range(2))
    count = rng.randrange(3)
    names = tuple(rng.choice(("a", "b", "\ud800", "")) for _ in range(count))
    formats = tuple(_dtype(rng, depth + 1) for _ in range(count + (rng.random() < 0.1)))
    offsets = tuple(rng.choice((0, 4, 8, _number(rng))) for _ in range(count))
    return names, formats, offsets, rng.choice((8, 16, _number(rng))), rng.random() < 0.2


def _keys(rng: random.Random) -> list[Any]:
    """Keys of which many have one hash, or hashes that differ in their high bits alone."""
    count, shift = rng.choice((10, 63, 64, 200)), rng.randrange(61)
    modulus = sys.hash_info.modulus
    return rng.choice(
        (
            [i << shift for i in range(count)],
            [i * modulus for i in range(count)],
            [(1.5, i % 60 + (i << 61)) for i in range(count)],
            [float(i) * 0.5**shift for i in range(count)],
            [*range(count), *map(str, range(count))],
        )
    )


def _typed(rng: random.Random, writer: Any) -> bytes:
    """The body of a frame that describes what may harm."""

    def body(value: Any) -> bytes:
        return bytes(writer.dumps(value)[HEADER:])

    kind = rng.randrange(5)
    if kind == 0:
        data = rng.randbytes(rng.choice((0, 4, 8, 16)))
        shape = tuple(rng.choice((0, 1, 2, _number(rng))) for _ in range(rng.randrange(3)))
        parts = body(_dtype(rng)) + body(shape or (1,)) + body(rng.random() < 0.1)
        return b"\xe8\xd1\x04" + parts + body(bytearray(data))
    if kind == 1:
        data = rng.randbytes(rng.choice((4, 8, 16)))
        return b"\xea\xd1\x02" + body(_dtype(rng)) + body(data)
    if kind == 2:
        parts = ("Europe", "Zurich", "UTC", "..", "os", "A" * 70, "posix", "\u00e9", "")
        return b"\xe3" + body("/".join(rng.choices(parts, k=rng.choice((1, 2, 2, 99)))))
    keys = [body(key) for key in _keys(rng)]
    count = b"\xfc" + len(keys).to_bytes(2, "little")
    if kind == 3:
        return rng.choice((b"\xd2", b"\xd3")) + count + b"".join(keys)
    return b"\xd4" + count + b"".join(key + b"\xc0" for key in keys)


def _outcome(serializer: Any, frame: bytes, buffers: list[bytes]) -> tuple[str, Any]:
    try:
        return "value", serializer.loads(frame, buffers=buffers)
    except FrameError:
        return "refused", None


def run(count: int, seed: int) -> dict[str, int]:
    """How many of so many inputs were taken and refused; AssertionError where they differ."""
    native = importlib.import_module("noob_fast").FastSerializer
    limits = {"max_bytes": LIMIT, "max_depth": 60, "hooks": [_HOOK]}
    pair = native(**limits), serializer_py.FastSerializer(**limits)
    rng, seeds = random.Random(seed), _seeds()
    totals = {"value": 0, "refused": 0}
    warnings.simplefilter("ignore")  # numpy warns of odd dtypes
    for number in range(count):
        typed = number % 4 == 3
        body = _typed(rng, pair[1]) if typed else _mutated(rng, seeds)
        given = [_BUFFER] * (rng.random() < 0.1)
        frame = seal(body, len(given))
        if number % 16 == 0:
            at = rng.randrange(len(frame))
            frame = frame[:at] + rng.randbytes(1) + frame[at + rng.randrange(3) :]
        (ours, value), (theirs, twin) = (_outcome(one, frame, given) for one in pair)
        assert ours == theirs, (seed, number, frame.hex(), ours, theirs, value, twin)
        assert ours == "refused" or same(value, twin), (seed, number, frame.hex(), value, twin)
        totals[ours] += 1
    return totals


def _report(count: int, seed: int) -> None:
    run(1000, seed)  # whatever is imported and cached is there, before memory is limited
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    totals = run(count, seed)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
    seconds = time.perf_counter() - began
    print(f"seed {seed}: {count} inputs, {totals}, {grown} KiB more at most, {seconds:.0f} s")


if __name__ == "__main__":
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    child = multiprocessing.get_context("spawn").Process(target=_report, args=(count, seed))
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(f"seed {seed}: the process ended with {child.exitcode}")
