"""Serializers: FastSerializer and its twin, and what else turns Python's values into bytes."""

from __future__ import annotations

import marshal
import pickle
import random
from abc import abstractmethod
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

TABLE, RECORDS, STRINGS, FLOATS = "table of dicts", "list of records", "list of strings", "floats"
ARRAY, BATCH = "numpy array, bytes", "8 tables at once, rows each"
"""The kinds of cases; sizes count rows, items or bytes."""

_BATCH = 8


def make_value(kind: str, size: int) -> Any:
    """Make what a case is about; the same in every process."""
    rng = random.Random(0)  # noqa: S311 - a seed, no secret
    match kind:
        case "table of dicts" | "8 tables at once, rows each":
            return {f"key{row}": _row(row, rng) for row in range(size)}
        case "list of records":
            return [
                {"id": row, "name": f"n{row}", "score": rng.random(), "tags": ["a", f"t{row % 7}"]}
                for row in range(size)
            ]
        case "list of strings":
            return [f"node-{item:x}" for item in range(size)]
        case "floats":
            return [rng.random() for _ in range(size)]
        case _:
            return np.random.default_rng(0).random(size // 8)


def _row(row: int, rng: random.Random) -> dict[str, Any]:
    values = [rng.random() for _ in range(8)]
    return {"id": row, "name": f"n{row}", "vals": values, "ok": row % 2 == 0, "s": "x" * 40}


class _Serializer(Subject):
    """What all have in common: a value, and that it must come back equal, of the same types."""

    arrays = False
    """Whether it carries arrays of numpy."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Refuse what it does not carry."""
        super().__init__(case)
        if case.kind == ARRAY and not self.arrays:
            raise UnsupportedError("it carries no numpy arrays")

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

    arrays = True

    def __init__(self, kind: Any, case: Case) -> None:
        super().__init__(case)
        self.kind = kind

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        self.serializer = self.kind()
        return self.serializer.dumps, self.serializer.loads

    def offer(self) -> Mapping[str, Operation | str]:
        serializer, value = self.serializer, self.value
        if self.case.kind == ARRAY:

            def out_of_band(_given: None) -> Any:
                buffers: list[Any] = []
                data = serializer.dumps(value, buffer_callback=buffers.append)
                return serializer.loads(data, buffers=buffers)

            return {
                **super().offer(),
                OUT_OF_BAND: Operation(out_of_band, lambda back: self.check(OUT_OF_BAND, back)),
            }
        if self.case.kind == BATCH:
            values = [value] * _BATCH

            def check(frames: list[bytes]) -> None:
                expect(len(frames), _BATCH, "the number of frames")
                for frame in frames:
                    self.check(EACH, serializer.loads(frame))

            return {
                EACH: Operation(lambda _: [serializer.dumps(one) for one in values], check),
                TOGETHER: lacking(self.kind, "dumps_many")
                or Operation(lambda _: serializer.dumps_many(values), check),
            }
        return super().offer()


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

    arrays = True

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        return lambda value: pickle.dumps(value, 5), pickle.loads

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        if self.case.kind != ARRAY:
            return super().offer()

        def out_of_band(_given: None) -> Any:
            buffers: list[pickle.PickleBuffer] = []
            data = pickle.dumps(self.value, 5, buffer_callback=buffers.append)
            return pickle.loads(data, buffers=buffers)  # noqa: S301 - ours

        return {
            **super().offer(),
            OUT_OF_BAND: Operation(out_of_band, lambda back: self.check(OUT_OF_BAND, back)),
        }


class Cloudpickle(_Serializer):
    """cloudpickle, which pickles functions as well."""

    arrays = True

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

    def make(self) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
        """Return what encodes and what decodes."""
        import ormsgpack  # noqa: PLC0415 - an optional extra

        return ormsgpack.packb, ormsgpack.unpackb
