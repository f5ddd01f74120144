"""FastSerializer takes no harm from what is too deep, too large, damaged or hostile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noob_runners.components import FrameError, UnserializableError

sys.path.append(str(Path(__file__).parent))
from serializer_fuzz import run, seal
from serializer_help import back, every_implementation

HEADER = 24
HUGE = b"\xc6" + b"\xff" * 7 + b"\x7f"


@every_implementation
def test_depth_is_limited_and_cycles_are_errors(implementation: Any) -> None:
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    with pytest.raises(UnserializableError, match=r"again.*\.\.\..*max_depth = 200"):
        implementation().dumps(cycle)
    nested: list[Any] = []
    for _ in range(199):
        nested = [nested]
    assert back(implementation(), nested) == nested
    frame = implementation().dumps(nested)
    with pytest.raises(FrameError, match=r"max_depth = 50 \(at byte"):
        implementation(max_depth=50).loads(frame)
    for depth in (0, 1001):
        with pytest.raises(ValueError, match="from 1 to 1000"):
            implementation(max_depth=depth)


@every_implementation
def test_memory_is_limited_on_both_sides(implementation: Any) -> None:
    values = [None] * 1000
    frame = implementation().dumps(values)
    small = implementation(max_bytes=50_000)
    for act, given in ((small.dumps, values), (small.loads, frame)):
        with pytest.raises(FrameError, match="max_bytes = 50000"):
            act(given)
    with pytest.raises(FrameError, match="max_bytes"):
        small.dumps(bytes(50_000))
    assert back(small, [None] * 500) == [None] * 500
    with pytest.raises(ValueError, match="max_bytes is 0"):
        implementation(max_bytes=0)


@every_implementation
def test_every_truncation_and_every_flipped_bit_is_an_error(implementation: Any) -> None:
    serializer = implementation()
    frame = serializer.dumps([{"a": 1.5, "b": "é"}, {"a": 1, "b": None}, np.arange(3)])
    for end in range(len(frame)):
        with pytest.raises(FrameError):
            serializer.loads(frame[:end])
    for bit in range(8 * len(frame)):
        altered = bytearray(frame)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError):
            serializer.loads(altered)
    with pytest.raises(FrameError, match="altered"):
        serializer.loads(frame + b"\0")
    other = bytearray(frame)
    other[4] = 2
    with pytest.raises(FrameError, match="version 2 of the format at byte 4"):
        serializer.loads(other)


def _text(text: str) -> bytes:
    return bytes([0x80 + len(text)]) + text.encode()


@every_implementation
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xd0\xfe" + b"\xff" * 8, id="a list of too many"),
        pytest.param(b"\xd7\xfe" + b"\xff" * 8, id="floats of too many"),
        pytest.param(b"\xc7\xfd" + b"\xff" * 4, id="a huge int"),
        pytest.param(b"\xd0\x01" * 5000 + b"\xc0", id="depth"),
        pytest.param(b"\xd2\x01\xd0\x00", id="a set of lists"),
        pytest.param(b"\xd4\x01\xd4\x00\xc0", id="a dict of dicts"),
        pytest.param(b"\xde\x00\x00\x01\x01" + bytes(8) + b"\xc0", id="year 0"),
        pytest.param(b"\xdd\x18" + bytes(7) + b"\xc0", id="24 o'clock"),
        pytest.param(b"\xdd" + bytes(8) + b"\x01", id="a time zone that is an int"),
        pytest.param(b"\xdf\xff\xff\xff\x7f" + bytes(8), id="too long a time"),
        pytest.param(b"\xe3" + _text("../../etc/passwd"), id="a path for a zone"),
        pytest.param(b"\xe3" + _text("Europe"), id="a folder for a zone"),
        pytest.param(b"\xe3" + _text("No/Where"), id="a zone that is none"),
        pytest.param(b"\xe4\xd1\x02\xc3\xff\xd0\x00", id="epoch -1"),
        pytest.param(b"\xe5" + _text("mro"), id="a signal that is none"),
        pytest.param(
            b"\xe8\xd1\x04" + _text("|O8") + b"\xd1\x01\x01\xc1\xcc\x08" + bytes(8), id="objects"
        ),
        pytest.param(
            b"\xe8\xd1\x04" + _text("<f8") + b"\xd1\x02" + HUGE + b"\x02\xc1\xcc\x00",
            id="a huge array",
        ),
        pytest.param(b"\xe8\xd1\x04" + _text("f8,O") + b"\xd1\x00\xc1\xcc\x00", id="two dtypes"),
        pytest.param(
            b"\xe9\xd1\x02\xd1\x01" + HUGE + b"\xd0\x00", id="a huge array of objects"
        ),
    ],
)  # fmt: skip
def test_hostile_frames_are_errors(implementation: Any, body: bytes) -> None:
    with pytest.raises(FrameError):
        implementation().loads(seal(body))


@every_implementation
def test_keys_that_all_have_one_hash_are_refused_quickly(implementation: Any) -> None:
    modulus = sys.hash_info.modulus
    keys = [i * modulus for i in range(200_000)]
    frame = implementation(max_bytes=1 << 31).dumps(keys)
    body = frame[HEADER:]
    assert body[0] == 0xD0
    hostile = seal(b"\xd2" + body[1:])  # the list, as a set
    with pytest.raises(FrameError, match="hash"):
        implementation().loads(hostile)
    plain = set(range(5000)) | {str(i) for i in range(5000)}
    assert back(implementation(), plain) == plain


def test_hostile_frames_take_no_more_memory_than_allowed() -> None:
    script = (
        "import resource, sys, zlib\n"
        "from noob_runners.components import FastSerializer, FrameError\n"
        "from serializer_fuzz import seal\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "s = FastSerializer(max_bytes=1 << 23)\n"
        "s.loads(s.dumps([None] * 100_000))\n"
        "frames = [seal(b'\\xd0\\xfd\\x00\\x00\\x40\\x00' + unit * (1 << 22)) for unit in\n"
        "    (b'\\xd2\\x00', b'\\xd4\\x00', b'\\xd0\\x00', b'\\x80')]\n"
        "frames.append(seal(b'\\xd5\\x01\\x81a\\xc0' + b'\\xd6\\x00' * 1000))\n"
        "before = peak()\n"
        "for frame in frames:\n"
        "    try: s.loads(frame)\n"
        "    except FrameError: pass\n"
        "    else: raise SystemExit('taken')\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parent,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 9 << 10  # KiB


def test_damaged_frames_are_the_same_to_both() -> None:
    pytest.importorskip("noob_fast")
    totals = run(4000, seed=20)
    assert min(totals.values()) > 100
