"""Frames that were made to harm whoever loads them, and values that change while written, are
errors. What might end the process runs in another."""

from __future__ import annotations

import gc
import inspect
import struct
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noob_runners.components import FrameError, UnserializableError, serializer_py

sys.path.append(str(Path(__file__).parent))
from serializer_fuzz import seal
from serializer_help import back, every_implementation

HEADER = 24
SET, DICT, TUPLE, BYTEARRAY, ZONE, ARRAY, SCALAR = 0xD2, 0xD4, 0xD1, 0xCC, 0xE3, 0xE8, 0xEA


def _body(value: Any) -> bytes:
    return serializer_py.FastSerializer().dumps(value)[HEADER:]


def _length(count: int) -> bytes:
    return b"\xfd" + struct.pack("<I", count)


def _array(described: Any, shape: tuple[int, ...], data: bytes) -> bytes:
    parts = _body(described) + _body(shape) + b"\xc1"
    return seal(bytes([ARRAY, TUPLE, 4]) + parts + bytes([BYTEARRAY]) + _length(len(data)) + data)


def _set(keys: list[Any]) -> bytes:
    return seal(bytes([SET]) + _length(len(keys)) + b"".join(map(_body, keys)))


def _dict(keys: list[Any]) -> bytes:
    return seal(bytes([DICT]) + _length(len(keys)) + b"".join(_body(key) + b"\xc0" for key in keys))


def _child(script: str) -> subprocess.CompletedProcess[str]:
    """A script that has FastSerializer of both kinds as BOTH, run in another process."""
    head = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from noob_runners.components import serializer_py, FrameError\n"
        "BOTH = [serializer_py.FastSerializer]\n"
        "try:\n    from noob_fast import FastSerializer\n"
        "except ImportError: pass\n"
        "else: BOTH.append(FastSerializer)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + script],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parent,
    )  # fmt: skip


def _field(offset: int, size: int = 8, form: Any = "<i8") -> tuple[Any, ...]:
    return (("a",), (form,), (offset,), size, False)


_DTYPES = {
    "an offset that wraps": (_field(2**31 - 8), 8),
    "an offset beyond": (_field(1), 8),
    "a huge offset": (_field(2**64 - 8), 8),
    "a huge field": (_field(1, 8, "|V2147483647"), 8),
    "an offset that wraps within": (_field(1, 8, _field(2**31 - 9, 2**31 - 1)), 8),
    "more offsets than formats": ((("a", "b"), ("<i8",), (0, 0), 8, False), 8),
    "a unit divided by zero": ("<M8[s/0]", 8),
    "a unit divided": ("<M8[Y/12]", 8),
    "no seconds": ("<M8[0s]", 8),
    "no seconds of a difference": ("<m8[0s]", 8),
    "other text than numpy's": ("<U02", 8),
    "a lone surrogate as a name": ((("\ud800",), ("<i8",), (0,), 8, False), 8),
}


def test_dtypes_that_no_array_has_are_refused() -> None:
    frames = []
    for name, (described, length) in _DTYPES.items():
        frames.append((name, _array(described, (1,), bytes(length))))
        scalar = bytes([SCALAR, TUPLE, 2]) + _body(described) + _body(bytes(length))
        frames.append((name, seal(scalar)))
    done = _child(
        f"for name, frame in {frames!r}:\n"
        "    for one in BOTH:\n"
        "        print(one, name, flush=True)\n"
        "        try: value = one().loads(frame)\n"
        "        except FrameError: continue\n"
        "        raise SystemExit('it was loaded')\n"
    )
    assert done.returncode == 0, (done.stdout[-100:], done.stderr)


@every_implementation
def test_dtypes_of_arrays_are_kept(implementation: Any) -> None:
    dtypes = [
        "<i8", ">f4", "<U5", "S3", "V7", "<M8[ns]", "<m8[25s]", "<M8", "?", "c16", "f2", "V0", "S0",
        "<U0", [("a", "i4"), ("b", "f8", (2,))], np.dtype([("a", "i1"), ("b", "f8")], align=True),
        [("x", [("y", "U3")])],
    ]  # fmt: skip
    for dtype in dtypes:
        array = np.zeros(3, dtype)
        again = back(implementation(), array)
        assert (again.dtype, again.shape) == (array.dtype, array.shape)


@every_implementation
@pytest.mark.parametrize(
    ("described", "shape"), [("|V0", (2**60,)), ("|S0", (2**60,)), (("|V0", (2**60,)), (1,))]
)
def test_elements_of_no_bytes_are_few(
    implementation: Any, described: Any, shape: tuple[int, ...]
) -> None:
    with pytest.raises(FrameError, match="no bytes"):
        implementation().loads(_array(described, shape, b""))


def test_what_garbage_collection_frees_is_not_read() -> None:
    done = _child(
        "import gc\n"
        "armed, junk = [False], []\n"
        "def clear(phase, info):\n"
        "    if phase == 'start' and armed[0]:\n"
        "        armed[0] = False\n"
        "        given.clear()\n"
        "        junk.append([''.join(['Z' * 100, str(i), 'Z' * 95]) for i in range(400)])\n"
        "gc.callbacks.append(clear)\n"
        "serializer, keep = BOTH[-1](), []\n"
        "for make in (\n"
        "    lambda t: {'a': 2**100, 'b': ''.join(['y' * 100, str(t), 'x' * 98])},\n"
        "    lambda t: ['x', ''.join(['\\u0100' * 60, '\\ud800', 'y' * 60, str(t)])],\n"
        "    lambda t: {'a': ''.join(['\\ud800', str(t)]), 'b': ''.join(['y' * 99, str(t)])},\n"
        "):\n"
        "    for t in range(20):\n"
        "        given = make(t)\n"
        "        keep.extend([{} for _ in range(300)])\n"
        "        gc.set_threshold(1); armed[0] = True\n"
        "        try: text = ascii(serializer.loads(serializer.dumps(given)))\n"
        "        except RuntimeError: text = ''\n"
        "        gc.set_threshold(700); armed[0] = False\n"
        "        if 'Z' in text: raise SystemExit(f'read {text}')\n"
    )
    assert done.returncode == 0, done.stderr


@every_implementation
@pytest.mark.parametrize("key", ["A/" * 5000 + "A", "tests/unit", "Europe/Zurich\n", "os", ""])
def test_only_zones_that_there_are_are_asked_for(
    implementation: Any, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    implementation().loads(seal(bytes([ZONE]) + _body("Europe/Zurich")))

    def refuse(*_: object) -> None:
        raise AssertionError("the frame's key was looked for")

    monkeypatch.setattr("importlib.resources.open_binary", refuse)
    before = set(sys.modules)
    with pytest.raises(FrameError, match="time zone"):
        implementation().loads(seal(bytes([ZONE]) + _body(key)))
    assert set(sys.modules) == before


def _colliding(count: int) -> list[int]:
    """Keys of a dict of 2^13 slots that all look for a place along one long path."""
    mask = (1 << 13) - 1
    fill, at = [], 0
    for _ in range(4000):
        fill.append(at)
        at = (5 * at + 1) & mask
    place = np.full(1 << 13, -1)
    place[fill] = np.arange(len(fill))
    found = np.arange(1 << 13, 1 << 21)
    slots, perturb, fits = found & mask, found.copy(), np.ones(len(found), bool)
    while perturb.any():
        fits &= place[slots] >= 0
        perturb >>= 5
        slots = (slots * 5 + perturb + 1) & mask
    fits &= (place[slots] >= 0) & (place[slots] < 1000)
    return fill + [int(key) for key in found[fits][:count]]


@every_implementation
def test_keys_whose_hashes_collide_are_refused(implementation: Any) -> None:
    modulus = sys.hash_info.modulus
    same = [(1.5, i * modulus) for i in range(64)]
    for frame in (_dict(_colliding(1000)), _set(same), _dict(same), _dict([*same, "text"])):
        with pytest.raises(FrameError, match="hash"):
            implementation().loads(frame)
    for keys in (same[:63], list(range(3000)), [i / 1024 for i in range(3000)]):
        assert implementation().loads(_dict(keys)) == dict.fromkeys(keys)
        assert implementation().loads(_set(keys)) == set(keys)
    for shift in range(0, 61, 4):
        keys = [i << shift for i in range(700)]
        assert implementation().loads(_set(keys)) == set(keys)
        assert implementation().loads(_dict(keys)) == dict.fromkeys(keys)


@every_implementation
def test_keys_too_deep_to_be_compared_are_refused(implementation: Any) -> None:
    key: Any = 1.5
    for _ in range(190):
        key = (key,)
    frame = seal(bytes([SET, 2]) + 2 * _body(key))

    def at(depth: int) -> str:
        if depth:
            return at(depth - 1)
        try:
            implementation().loads(frame)
        except FrameError:
            return "refused"
        return "loaded"

    here = len(inspect.stack(0))
    for left in range(40, 300, 20):
        assert at(sys.getrecursionlimit() - here - left) in {"loaded", "refused"}


@every_implementation
def test_an_interrupt_stays_one(implementation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Name(type):
        def __getitem__(cls, _: str) -> None:
            raise KeyboardInterrupt

    event = pytest.importorskip("noob.event")
    monkeypatch.setattr(event, "MetaSignal", Name("MetaSignal", (), {}))
    with pytest.raises(KeyboardInterrupt):
        implementation().loads(seal(b"\xe5" + _body("NoEvent")))


def _released() -> memoryview:
    view = memoryview(bytes(5000))
    view.release()
    return view


@every_implementation
def test_buffers_that_are_none_are_refused(implementation: Any) -> None:
    for value in (bytes(5000), bytearray(5000), memoryview(bytes(5000)).cast("B")):
        frame = implementation().dumps(value, buffer_callback=lambda _: None)
        bad: list[Any] = [
            None, "x" * 5000, 5, _released(), memoryview(bytes(10_000))[::2],
            np.zeros(625, "M8[s]"), np.zeros(625, object), np.zeros(0, object), bytes(4999),
        ]  # fmt: skip
        for buffer in bad:
            with pytest.raises(FrameError):
                implementation().loads(frame, buffers=[buffer])
        again = implementation().loads(frame, buffers=[np.zeros(5000, "u1")])
        assert type(again) is type(value)
        assert bytes(again) == bytes(5000)


@every_implementation
def test_buffers_count_where_they_are_copied(implementation: Any) -> None:
    buffers: list[memoryview] = []
    frame = implementation().dumps([bytes(5000)], buffer_callback=buffers.append)
    small = implementation(max_bytes=1000)
    with pytest.raises(FrameError, match="max_bytes = 1000"):
        small.loads(frame, buffers=buffers)
    assert small.loads(frame, buffers=[bytes(5000)]) == [bytes(5000)]


class _Mark:
    pass


@every_implementation
def test_a_dict_that_a_hook_changes_is_no_frame(implementation: Any) -> None:
    def change(_: object) -> int:
        del changing["b"]
        changing["z"] = 99
        return 1

    serializer = implementation(hooks=[(_Mark, "mark", change, lambda payload: payload)])
    changing: dict[Any, Any] = {"a": _Mark(), "b": "q", "c": [1]}
    with pytest.raises(RuntimeError, match="changed"):
        serializer.dumps(changing)


@every_implementation
def test_a_serializer_whose_hook_refers_to_it_is_collected(implementation: Any) -> None:
    class Owner:
        def __init__(self) -> None:
            self.serializer = implementation(hooks=[(_Mark, "mark", self.same, self.same)])

        def same(self, value: Any) -> Any:
            return value

    owner = Owner()
    known = weakref.ref(owner)
    del owner
    gc.collect()
    assert known() is None


@every_implementation
def test_errors_do_not_quote_whole_frames(implementation: Any) -> None:
    name = b"x" * 5000
    with pytest.raises(FrameError) as caught:
        implementation().loads(seal(b"\xe1" + _length(len(name)) + name + b"\xc0"))
    assert len(str(caught.value)) < 250


@every_implementation
def test_text_of_arrays_is_text(implementation: Any) -> None:
    nested = (("n", "t"), ("<i4", (_field(0, 8, "<U2"), (2,))), (0, 4), 20, False)
    good = b"\xff\xff\xff\xff" + 4 * b"\xff\xff\x10\0"
    implementation().loads(_array(nested, (1,), good))
    implementation().loads(_array("<U1", (1,), b"\0\xdc\0\0"))
    hostile = [
        _array("<U1", (1,), b"\0\0\x11\0"),
        _array(">U1", (2,), b"\0\0\0\x41\0\x11\0\0"),
        _array(nested, (1,), good[:16] + b"\0\0\x11\0"),
        _array((("a", "b"), ("<U1", "<U1"), (0, 0), 4, False), (1,), bytes(4)),
        seal(bytes([SCALAR, TUPLE, 2]) + _body("<U1") + _body(b"\xff" * 4)),
    ]
    for frame in hostile:
        with pytest.raises(FrameError, match="text"):
            implementation().loads(frame)


@every_implementation
def test_field_names_are_text_in_both(implementation: Any) -> None:
    with pytest.raises(UnserializableError, match="more than bytes"):
        implementation().dumps(np.zeros(1, [("\ud800", "i4")]))


def test_a_thread_of_little_stack_suffices_for_depth_as_documented() -> None:
    done = _child(
        "import threading\n"
        "value = None\n"
        "for _ in range(200): value = (value,)\n"
        "def run():\n"
        "    serializer = BOTH[-1]()\n"
        "    for _ in range(2): done.append(serializer.loads(serializer.dumps(value)) == value)\n"
        "done = []\n"
        "threading.stack_size(256 << 10)\n"
        "thread = threading.Thread(target=run); thread.start(); thread.join()\n"
        "if done != [True, True]: raise SystemExit(str(done))\n"
    )
    assert done.returncode == 0, done.stderr
