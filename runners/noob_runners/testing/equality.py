"""Equality of values as the contract means it, and copies that later changes do not reach."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from enum import Enum
from typing import Any

from noob.event import is_event

_STAMPS = ("id", "timestamp")
"""What NOOB makes anew for every event."""


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same, whatever objects hold them.

    Types count (``1`` is neither ``True`` nor ``1.0``), NaN equals NaN, arrays are compared by
    type, shape and content, events without their id and timestamp, containers element by
    element, enum members (``MetaSignal``) by identity, and objects that define no equality of
    their own by their attributes.
    """
    return _equal(left, right, set())


def snapshot(value: Any) -> Any:
    """A deep copy, or the value itself where it cannot be copied."""
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever a foreign __deepcopy__ raises, it is no copy
        return value


def _equal(left: Any, right: Any, visited: set[tuple[int, int]]) -> bool:  # noqa: PLR0911 - one return a kind reads best
    if isinstance(left, Enum) or isinstance(right, Enum) or left is right:
        return left is right
    if type(left) is not type(right):
        return False
    if (id(left), id(right)) in visited:
        return True  # a cycle: decided by the rest of it
    visited = visited | {(id(left), id(right))}
    if isinstance(left, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if _is_array(left):
        return left.dtype == right.dtype and _equal(left.tolist(), right.tolist(), visited)
    if isinstance(left, Mapping):
        skipped = _STAMPS if is_event(left) and is_event(right) else ()
        return left.keys() == right.keys() and all(
            _equal(left[key], right[key], visited) for key in left if key not in skipped
        )
    if isinstance(left, Sequence) and not isinstance(left, str | bytes | bytearray | memoryview):
        return len(left) == len(right) and all(
            _equal(one, other, visited) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, BaseException):
        return _equal(left.args, right.args, visited)
    compares: Any = type(left).__eq__
    if compares is object.__eq__ and hasattr(left, "__dict__"):
        return _equal(vars(left), vars(right), visited)
    return bool(left == right)


def _is_array(value: Any) -> bool:
    # only a loaded numpy can have made one: this package does not need numpy
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray | numpy.generic)
