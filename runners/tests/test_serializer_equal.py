"""FastSerializer, native and twin, write the same bytes and read the same values."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noob_runners.components import FrameError, serializer_py

sys.path.append(str(Path(__file__).parent))
from serializer_fuzz import seal
from serializer_help import every_implementation, same, values

slowly = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def both() -> tuple[Any, Any]:
    pytest.importorskip("noob_fast")
    return importlib.import_module("noob_fast").FastSerializer(), serializer_py.FastSerializer()


@slowly
@given(value=values)
def test_native_and_twin_write_and_read_the_same(value: Any) -> None:
    native, twin = both()
    frame = native.dumps(value)
    assert frame == twin.dumps(value)
    assert same(native.loads(frame), value)
    assert same(twin.loads(frame), value)


def test_the_least_of_each_width_is_written_the_same() -> None:
    native, twin = both()
    for bits in (7, 15, 31, 63):
        for value in (-(2**bits), 2**bits - 1):
            assert native.dumps([value]) == twin.dumps([value])


def test_empty_texts_of_numpy_are_read() -> None:
    for one, other in (both(), both()[::-1]):
        for value in (np.bytes_(b""), np.str_("")):
            assert same(other.loads(one.dumps(value)), value)


@slowly
@given(value=st.lists(st.integers(4090, 5000).map(bytes) | values, max_size=3))
def test_native_and_twin_let_the_same_travel_beside(value: Any) -> None:
    native, twin = both()
    ours: list[memoryview] = []
    theirs: list[memoryview] = []
    frame = native.dumps(value, buffer_callback=ours.append)
    assert frame == twin.dumps(value, buffer_callback=theirs.append)
    assert ours == theirs
    assert same(native.loads(frame, buffers=theirs), value)
    assert same(twin.loads(frame, buffers=ours), value)


@slowly
@given(value=values, bytes_=st.integers(1, 3000), depth=st.integers(1, 5))
def test_native_and_twin_keep_the_same_account(value: Any, bytes_: int, depth: int) -> None:
    limits = {"max_bytes": bytes_, "max_depth": depth}
    native, twin = both()
    frame = native.dumps(value)
    answers = []
    for kind in map(type, (native, twin)):
        small = kind(**limits)
        for act, given_ in ((small.dumps, value), (small.loads, frame)):
            try:
                act(given_)
            except (ValueError, TypeError):
                answers.append(False)
            else:
                answers.append(True)
    assert len(set(answers)) == 1


@every_implementation
@slowly
@given(data=st.binary(max_size=60), wrap=st.sampled_from([seal, bytes]))
def test_random_bytes_are_values_or_errors(implementation: Any, data: bytes, wrap: Any) -> None:
    frame = wrap(data)
    try:
        value = implementation().loads(frame)
    except FrameError:
        return
    assert wrap is seal
    assert same(implementation().loads(implementation().dumps(value)), value)
