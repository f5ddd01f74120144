"""What the tests of the serializer share: both implementations, values of every type, equality."""

from __future__ import annotations

import importlib
import math
import struct
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import strategies as st
from noob.event import MetaEventType, MetaSignal
from noob_core import Epoch

from noob_runners.components import serializer_py


def _native() -> Any:
    """noob_fast's FastSerializer, or the reason why it is not tested."""
    try:
        return pytest.param(importlib.import_module("noob_fast").FastSerializer, id="native")
    except (ImportError, AttributeError) as error:
        return pytest.param(None, id="native", marks=pytest.mark.skip(reason=str(error)))


PYTHON = pytest.param(serializer_py.FastSerializer, id="python")
NATIVE = _native()
every_implementation = pytest.mark.parametrize("implementation", [PYTHON, NATIVE])


def back(serializer: Any, value: Any) -> Any:
    """A value, written and read."""
    return serializer.loads(serializer.dumps(value))


def same(left: Any, right: Any) -> bool:
    """Whether two values are of the same types and equal, bit by bit and in order."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (np.ndarray, np.generic)):
        return _same_arrays(left, right)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    return bool(_plain(left) == _plain(right))


def _plain(value: Any) -> Any:
    """What is equal only where the values are the same."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, (set, frozenset)):
        return value, {*map(type, value)}
    if isinstance(value, memoryview):
        return value.format.strip("@"), value.shape, value.tobytes()
    if isinstance(value, (datetime, time)):
        zone = value.tzinfo
        return value.replace(tzinfo=None), value.fold, str(zone), type(zone)
    return value


def _same_arrays(left: Any, right: Any) -> bool:
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    if left.dtype.hasobject:  # and of others the padding between fields is no part of the value
        return same(left.tolist(), right.tolist())
    if left.dtype.names:
        return all(_same_arrays(left[name], right[name]) for name in left.dtype.names)
    return bool(left.tobytes() == right.tobytes())


_zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Zurich", "UTC", "America/New_York"]).map(ZoneInfo),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    st.just(timezone(timedelta(hours=1), "a name")),
)
_epochs = st.builds(
    Epoch,
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2**32 - 1)), max_size=2),
)
_nans = st.integers(0, 2**51 - 1).map(
    lambda bits: struct.unpack("<d", struct.pack("<Q", 0x7FF8 << 48 | bits))[0]
)
hashables = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.text(st.characters(codec="ascii"), max_size=70),
    st.text(st.characters(), max_size=3),
    st.just("lone \ud800 surrogate"),
    st.binary(max_size=9),
    st.datetimes(timezones=_zones),
    st.dates(),
    st.times(),
    st.timedeltas(),
    _epochs,
    st.sampled_from([*MetaSignal, *MetaEventType]),
)
_dtypes = st.sampled_from(
    [
        *(
            [
                "<f8",
                ">f4",
                "?",
                "i1",
                ">u2",
                "<c16",
                "<M8[ns]",
                ">m8[25s]",
                "S3",
                "<U2",
                "V5",
                "<f2",
                "S0",
            ]
        ),
        np.dtype([("a", "<i4"), ("b", ">f8", (2, 3))]),
        np.dtype({"names": ["x"], "formats": ["u1"], "offsets": [3], "itemsize": 9}),
        np.dtype([("a", "u1"), ("b", [("c", "<f8")])], align=True),
    ]
)


@st.composite
def _arrays(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(_dtypes))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape) * dtype.itemsize
    pattern = b"\1\1\0\0" if dtype.kind == "U" else b"\0\1"  # of text, code points that there are
    array = np.ndarray(shape, dtype, bytearray(pattern * size)[:size])
    return draw(st.sampled_from([array, array.T, array[::2] if array.ndim else array, array[()]]))


def _objects(items: list[Any]) -> Any:
    array = np.empty(len(items), object)
    for at, item in enumerate(items):
        array[at] = item
    return array


leaves = st.one_of(
    hashables,
    _nans,
    st.binary(max_size=9).map(bytearray),
    st.binary(min_size=1, max_size=9).map(memoryview),
    st.lists(st.floats(), max_size=5),
    st.lists(st.integers(-(2**70), 2**70), max_size=5),
    st.lists(st.integers(-200, 200), max_size=5),
    _arrays(),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(hashables, max_size=4),
        st.frozensets(hashables, max_size=4),
        st.dictionaries(hashables, inner, max_size=4),
        st.dictionaries(st.sampled_from(["id", "value", "é"]), inner, max_size=3),
        st.lists(inner, max_size=3).map(_objects),
    ),
    max_leaves=12,
)
