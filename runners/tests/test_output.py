"""What each value becomes in a line of JSON, and which are refused."""

from __future__ import annotations

import base64
import json
from collections import deque
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_runners.command.output import Encoder, UnwritableValueError


class Colour(Enum):
    RED = "red"


NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # and any text, lone surrogates too
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


def form(value, **options):
    line = Encoder(**options).line(0, value)
    assert line.count(b"\n") == 1
    return json.loads(line)["value"]


@given(NESTED)
def test_what_json_knows_stays(value):
    assert form(value) == value


@given(st.sets(st.integers()), st.binary())
def test_sets_are_sorted_and_bytes_kept(numbers, data):
    assert form(numbers) == sorted(numbers)
    assert base64.b64decode(form(data)["base64"]) == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (range(2), [0, 1]),
        (deque([1]), [1]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1, "a"}, ["a", 1]),
        (memoryview(b"ab")[::2], {"base64": "YQ=="}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ({date(2026, 1, 2): Path("a/b")}, {"2026-01-02": "a/b"}),
        ({1: 0, None: 1, 1.5: 2}, {"1": 0, "null": 1, "1.5": 2}),
        (Colour.RED, "red"),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        ({np.int64(3): np.array([0, 1]) > 0}, {"3": [False, True]}),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([0.5, np.nan]), [0.5, None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([b"a"]), [{"base64": "YQ=="}]),
        (np.array([{1}, None], dtype=object), [[1], None]),
        (np.array(["2026-01-02", "NaT"], dtype="M8[D]"), ["2026-01-02", None]),
        (np.datetime64("2026-01-02T03:04:05.000000006"), "2026-01-02T03:04:05.000000006"),
        ([float("nan"), float("-inf")], [None, None]),
    ],
    ids=repr,
)
def test_what_json_does_not_know_has_a_form(value, expected):
    assert form(value) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "epoch 7: .value is of type object, which"),
        ({"a": [0, {"b c": {1j}}]}, 'epoch 7: .value.a[1]["b c"][0] is of type complex'),
        ([{(1, 2): 3}], "epoch 7: .value[0] has a key of type tuple"),
        ({1: "a", "1": "b"}, "epoch 7: .value has two keys that JSON writes as '1'"),
        (np.array([1j]), "epoch 7: .value is of type numpy.ndarray"),
        (np.longdouble(1), "epoch 7: .value is of type numpy.longdouble"),
        (np.timedelta64(1, "ns"), "epoch 7: .value is of type numpy.timedelta64"),
    ],
    ids=repr,
)
def test_what_has_no_form_is_refused_with_its_place(value, said):
    with pytest.raises(UnwritableValueError, match="--lossy") as refused:
        Encoder().line(7, value)
    assert str(refused.value).startswith(said)


def test_lossy_writes_its_repr():
    assert form([1j, {(1, 2): 3}], lossy=True) == ["1j", {"(1, 2)": 3}]


def test_what_contains_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(UnwritableValueError, match="contains itself"):
        Encoder(lossy=True).line(0, endless)


class Unreadable(list):
    def __iter__(self):
        raise OSError("gone")


@pytest.mark.parametrize(
    ("value", "said"), [(Unreadable(), "gone"), (10**5000, "digits")], ids=["own", "int"]
)
def test_what_cannot_be_read_is_refused(value, said):
    with pytest.raises(UnwritableValueError, match=f"epoch 0: .value cannot be read: .*{said}"):
        Encoder().line(0, value)
