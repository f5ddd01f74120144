"""Exceptions on their way between processes: the same type, arguments, attributes and notes."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from noob_runners.errors import ExecutorError

__all__ = ["RemoteError", "RemoteTraceback", "pack_error", "unpack_error"]


class RemoteError(ExecutorError, RuntimeError):
    """A node raised an exception that cannot be made again in this process."""


class RemoteTraceback(Exception):  # noqa: N818 (it is no error, but tells of one)
    """The traceback of an exception in another process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def pack_error(error: BaseException) -> bytes:
    """What `unpack_error` needs; it never fails."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return pickle.dumps((_dump(error), kind, _message(error), _traceback(error)), 5)


def unpack_error(data: bytes) -> BaseException:
    """The exception, its cause a `RemoteTraceback`; a `RemoteError` if it cannot be made here."""
    body, kind, message, text = pickle.loads(data)  # noqa: S301 (it comes from our own processes)
    error: BaseException
    try:
        error = pickle.loads(body)  # noqa: S301 (as above)
    except Exception:  # noqa: BLE001 (whatever the class does when it is made)
        error = RemoteError(f"{kind}: {message}")
    error.__cause__ = RemoteTraceback(text)
    return error


def _traceback(error: BaseException) -> str:
    below = error.__traceback__
    while below is not None and _is_ours(below.tb_frame.f_globals.get("__name__", "")):
        below = below.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, below))
    except Exception as failure:  # noqa: BLE001 (whatever the class does when it is shown)
        return f"{type(error).__qualname__} (its traceback cannot be shown: {failure!r})\n"


def _is_ours(module: str) -> bool:
    return module.startswith(__package__)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 (as above)
        return f"(its message cannot be shown: {failure!r})"


def _dump(error: BaseException) -> bytes:
    """Its pickle if that gives the same exception, else one that does without ``__init__``."""
    for way, is_same in ((_as_it_is, _has_same_state), (_by_hand, _looks_same)):
        try:
            data = way(error)
            if is_same(pickle.loads(data), error):  # noqa: S301 (just pickled)
                return data
        except Exception:  # noqa: BLE001, S112 (whatever its class does; then the next way)
            continue
    return b""


def _as_it_is(error: BaseException) -> bytes:
    return pickle.dumps(error, 5)


def _by_hand(error: BaseException) -> bytes:
    attributes = {}
    for name, value in vars(error).items():
        try:
            pickle.loads(pickle.dumps(value, 5))  # noqa: S301 (just pickled)
        except Exception:  # noqa: BLE001, S112 (what cannot travel is left out)
            continue
        attributes[name] = value
    return pickle.dumps((_Rebuilt(type(error), error.args, attributes)), 5)


class _Rebuilt:
    """Unpickles as the exception."""

    def __init__(
        self, kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        self._parts = kind, args, attributes

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, self._parts


def _rebuild(
    kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]
) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error


def _looks_same(other: Any, error: BaseException) -> bool:
    return type(other) is type(error) and str(other) == str(error)


def _has_same_state(other: Any, error: BaseException) -> bool:
    return (
        _looks_same(other, error)
        and bool(other.args == error.args)
        and vars(other).keys() == vars(error).keys()
    )
