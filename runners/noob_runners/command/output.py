"""Results as JSON lines: what each value becomes, and where the lines go.

A line is ``{"epoch": N, "value": ...}``. What JSON does not know has one form each, or is refused
with the place where it was found; nothing changes its meaning silently.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date, datetime, time
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from noob.exceptions import NoobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Encoder",
    "OutputError",
    "ReaderGoneError",
    "UnwritableValueError",
    "stdout_claimed",
    "write_line",
]


class OutputError(NoobError):
    """Results cannot be written."""


class UnwritableValueError(OutputError, TypeError):
    """A value that JSON cannot express; the message says where it is and of what type."""


class ReaderGoneError(OutputError, BrokenPipeError):
    """Nobody reads the results any more."""


class Encoder:
    """Turns the results of epochs into lines of JSON.

    JSON's own types stay. Other mappings become objects; tuples, ranges, deques and numpy arrays
    become lists, and so do sets, sorted; numpy's scalars the number; dates and times ISO 8601 text,
    paths and enumerations their text and their value; bytes ``{"base64": "..."}``. A number that is
    not finite becomes null and is counted.

    Args:
        lossy: whether what has no form is written as its `repr` instead of being refused.
    """

    def __init__(self, *, lossy: bool = False) -> None:
        self._lossy = lossy
        self.not_finite = 0
        """How many numbers have been NaN or infinite, and are null in the lines."""
        self._forms: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
            (Enum, lambda value: self._form(value.value)),
            (float, self._number),
            ((int, str), lambda value: value),
            (Mapping, self._object),
            ((bytes, bytearray, memoryview), _bytes),
            ((Sequence, deque), self._list),
            (AbstractSet, lambda value: self._list(_sorted(value))),
            ((datetime, date, time), lambda value: value.isoformat()),
            (PurePath, str),
        )

    def line(self, epoch: int, value: Any) -> bytes:
        """Return the line of an epoch's value, with its newline.

        Raises:
            UnwritableValueError: the value, or something in it, has no form in JSON.
        """
        try:
            record = {"epoch": epoch, "value": self._form(value)}
            return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"
        except _NoFormError as error:
            raise UnwritableValueError(
                f"epoch {epoch}: {error.place} {error.problem}; --lossy writes its repr"
            ) from None
        except RecursionError:
            raise UnwritableValueError(
                f"epoch {epoch}: .value is nested too deeply for JSON, or contains itself"
            ) from None
        except Exception as error:  # the value's own methods, or an integer too long for a decimal
            raise UnwritableValueError(f"epoch {epoch}: .value cannot be read: {error}") from error

    def _form(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        for kinds, form in self._forms:
            if isinstance(value, kinds):
                return form(value)
        numpy = sys.modules.get("numpy")  # where it is not imported, nothing is of it
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            return self._numpy(value, numpy)
        return self._without_form(value)

    def _number(self, value: float) -> float | None:
        if math.isfinite(value):
            return value
        self.not_finite += 1
        return None

    def _list(self, values: Any) -> list[Any]:
        forms: list[Any] = []
        try:
            for value in values:
                forms.append(self._form(value))  # noqa: PERF401 (an error is told at which item)
        except _NoFormError as error:
            error.steps.append(f"[{len(forms)}]")
            raise
        return forms

    def _object(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        forms: dict[str, Any] = {}
        for key, value in values.items():
            name = self._key(key)
            if name in forms:
                raise _NoFormError(f"has two keys that JSON writes as {name!r}")
            try:
                forms[name] = self._form(value)
            except _NoFormError as error:
                error.steps.append(f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]")
                raise
        return forms

    def _key(self, key: Any) -> str:
        """The name of a key: as `json` has it, and also for numpy's numbers, dates and paths."""
        try:
            form = self._form(key)
        except _NoFormError:
            form = ()
        if isinstance(form, str):
            return form
        if form is None or isinstance(form, bool | int | float):
            return json.dumps(form)
        if self._lossy:
            return repr(key)
        raise _NoFormError(f"has a key of type {_type_name(key)}, which cannot be a key in JSON")

    def _numpy(self, value: Any, numpy: Any) -> Any:
        kind = value.dtype.kind
        if kind == "M" and value.ndim == 0:
            return None if numpy.isnat(value) else str(value)
        if kind == "M":
            return self._list(value)
        if kind not in "biufOSU" or value.dtype.char == "g":  # "g", long double, exceeds a float
            return self._without_form(value)
        plain = value.tolist()
        if kind in "biu" or (kind == "f" and numpy.isfinite(value).all()):
            return plain  # without walking through it
        return self._form(plain)

    def _without_form(self, value: Any) -> str:
        if self._lossy:
            return repr(value)
        raise _NoFormError(f"is of type {_type_name(value)}, which JSON cannot express")


def write_line(descriptor: int, line: bytes) -> None:
    """Write a line at once: nothing waits in a buffer.

    Raises:
        ReaderGoneError: the other end of the pipe is closed.
        OutputError: the system refuses it.
    """
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError as error:
        raise ReaderGoneError(*error.args) from error
    except OSError as error:
        raise OutputError(f"cannot write the results: {error}") from error


@contextmanager
def stdout_claimed() -> Iterator[int]:
    """Keep standard output for the results: what nodes and loggers print goes to standard error.

    Yields:
        The descriptor of standard output.

    Raises:
        OSError: standard output or standard error is closed.
    """
    _flush()
    claimed = os.dup(1)
    try:
        os.dup2(2, 1)
        try:
            yield claimed
        finally:
            _flush()
            os.dup2(claimed, 1)
    finally:
        os.close(claimed)


class _NoFormError(Exception):
    """A value without a form in JSON, and the steps that lead to it, the last one first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str] = []

    @property
    def place(self) -> str:
        """The place as jq would name it."""
        return "".join((".value", *reversed(self.steps)))


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _bytes(value: bytes | bytearray | memoryview) -> dict[str, str]:
    return {"base64": base64.b64encode(bytes(value)).decode("ascii")}


def _sorted(values: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
