"""Serializers: FastSerializer and its twin, and what else turns Python's values into bytes."""

from __future__ import annotations

import json
import marshal
import pickle
import random
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from noob_perf.errors import UnsupportedError
from noob_perf.measure.subject import (
    Operation,
    Subject,
    WrongResultError,
    expect,
    lacking,
    native,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob_perf.measure.subject import Case

ENCODE = "encode"
DECODE = "decode"
ROUND_TRIP = "round trip"
OUT_OF_BAND = "round trip, out of band"
EACH = "encode, one after the other"
TOGETHER = "encode, dumps_many"

DISTINCT = "table of distinct objects"
"""As it comes from elsewhere: no row's keys and strings are the same objects as another's."""
TABLE, RECORDS, STRINGS, FLOATS = "table of dicts", "list of records", "list of strings", "floats"
ARRAY, BATCH = "numpy array, bytes", "8 tables at once, rows each"
"""The kinds of cases; sizes count rows, items or bytes."""

_BATCH = 8


def make_value(kind: str, size: int) -> Any:
    """Make what a case is about; the same in every process."""
    rng = random.Random(0)  # noqa: S311 - a seed, no secret
    makers: dict[str, Callable[[], Any]] = {
        TABLE: lambda: _table(size, rng),
        DISTINCT: lambda: {
            key: json.loads(json.dumps(row)) for key, row in _table(size, rng).items()
        },
        BATCH: lambda: [_table(size, rng) for _ in range(_BATCH)],
        RECORDS: lambda: [
            {"id": row, "name": f"n{row}", "score": rng.random(), "tags": ["a", f"t{row % 7}"]}
            for row in range(size)
        ],
        STRINGS: lambda: [f"node-{item:x}" for item in range(size)],
        FLOATS: lambda: [rng.random() for _ in range(size)],
        ARRAY: lambda: np.random.default_rng(0).random(size // 8),
    }
    return makers[kind]()


def _table(rows: int, rng: random.Random) -> dict[str, Any]:
    return {f"key{row}": _row(row, rng) for row in range(rows)}


def _row(row: int, rng: random.Random) -> dict[str, Any]:
    values = [rng.random() for _ in range(8)]
    return {"id": row, "name": f"n{row}", "vals": values, "ok": row % 2 == 0, "s": "x" * 40}


class _Serializer(Subject):
    """What all have in common: a value, and that it must come back equal, of the same types."""

    no_arrays = "it carries no numpy arrays"
    """Why it cannot be measured on them; empty if it can."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Refuse what it does not carry."""
        super().__init__(case)
        if case.kind == ARRAY and self.no_arrays:
            raise UnsupportedError(self.no_arrays)

    @abstractmethod
    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""

    def prepare(self) -> Mapping[str, Operation | str]:
        """Make the value, its bytes, and the proof of its types."""
        self.value = make_value(self.case.kind, self.case.size)
        self.dumps, self.loads = self.make()
        self.proven: set[str] = set()
        return self.offer()

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        value, dumps, loads = self.value, self.dumps, self.loads
        return {
            ENCODE: Operation(
                lambda _: dumps(value), lambda data: self.check(ENCODE, loads(data)), produced=len
            ),
            DECODE: Operation(loads, lambda back: self.check(DECODE, back), lambda: dumps(value)),
            ROUND_TRIP: Operation(
                lambda _: loads(dumps(value)), lambda back: self.check(ROUND_TRIP, back)
            ),
        }

    def out_of_band(
        self, dumps: Callable[..., bytes], loads: Callable[..., Any]
    ) -> Mapping[str, Operation]:
        """A round trip with the buffers beside the bytes."""

        def run(_given: None) -> Any:
            buffers: list[Any] = []
            data = dumps(self.value, buffer_callback=buffers.append)
            return loads(data, buffers=buffers)

        return {OUT_OF_BAND: Operation(run, lambda back: self.check(OUT_OF_BAND, back))}

    def check(self, operation: str, back: Any) -> None:
        """Check that a value came back; the first time of each operation, its types as well."""
        if isinstance(self.value, np.ndarray):
            same = isinstance(back, np.ndarray) and back.dtype == self.value.dtype
            if not same or not np.array_equal(back, self.value):
                raise WrongResultError(f"another array: {back!r:.60}")
            return
        expect(back, self.value, "what came back")
        if operation not in self.proven:  # 1, 1.0 and True are equal
            expect(repr(back), repr(self.value), "what came back")
            self.proven.add(operation)


class _Fast(_Serializer):
    """FastSerializer, which also knows batches."""

    no_arrays = ""

    def __init__(self, kind: Any, case: Case) -> None:
        super().__init__(case)
        self.kind = kind

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        self.serializer = self.kind()
        return self.serializer.dumps, self.serializer.loads

    def offer(self) -> Mapping[str, Operation | str]:
        serializer = self.serializer
        if self.case.kind == ARRAY:
            return {**super().offer(), **self.out_of_band(serializer.dumps, serializer.loads)}
        if self.case.kind != BATCH:
            return super().offer()

        def check(frames: list[bytes]) -> None:
            self.check(BATCH, [serializer.loads(frame) for frame in frames])

        return {
            EACH: Operation(lambda _: [serializer.dumps(one) for one in self.value], check),
            TOGETHER: lacking(self.kind, "dumps_many")
            or Operation(lambda _: serializer.dumps_many(self.value), check),
        }


class Native(_Fast):
    """noob_fast's FastSerializer."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(native("FastSerializer"), case)


class Twin(_Fast):
    """FastSerializer in Python."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(twin("serializer_py", "FastSerializer"), case)


class Pickle(_Serializer):
    """Pickle, protocol 5: in band, and with an array out of band as well."""

    no_arrays = ""

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        return partial(pickle.dumps, protocol=5), pickle.loads

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        if self.case.kind != ARRAY:
            return super().offer()
        return {**super().offer(), **self.out_of_band(self.dumps, self.loads)}


class Cloudpickle(_Serializer):
    """cloudpickle, which pickles functions as well."""

    no_arrays = ""

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        import cloudpickle  # noqa: PLC0415 - an optional extra

        return cloudpickle.dumps, cloudpickle.loads


class Marshal(_Serializer):
    """marshal, Python's own format of code."""

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        return marshal.dumps, marshal.loads


class Msgspec(_Serializer):
    """msgspec's MessagePack."""

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        from msgspec import msgpack  # noqa: PLC0415 - an optional extra

        return msgpack.Encoder().encode, msgpack.Decoder().decode


class Ormsgpack(_Serializer):
    """ormsgpack, MessagePack in Rust."""

    no_arrays = "it encodes numpy arrays if asked to, but does not give arrays back"

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        import ormsgpack  # noqa: PLC0415 - an optional extra

        return ormsgpack.packb, ormsgpack.unpackb
