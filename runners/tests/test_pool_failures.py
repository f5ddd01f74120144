"""Exceptions on their way between processes."""

from __future__ import annotations

import re
import threading

import pytest
from noob.exceptions import AlreadyRunningError

from noob_runners.errors import ExecutorError
from noob_runners.pool.failures import RemoteError, RemoteTraceback, pack_error, unpack_error

pytestmark = pytest.mark.timeout(60)


class _TwoArgumentsError(Exception):
    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")
        self.left = left


class _CountingError(Exception):
    """Its message grows each time that it is made."""

    def __init__(self, text):
        super().__init__(f"so: {text}")


class _KeywordOnlyError(Exception):
    def __init__(self, *, code):
        self.code = code
        super().__init__(code)


class _UnshowableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("plain"),
        ValueError(),
        KeyError("key"),
        OSError(2, "no such file", "name"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StopIteration(4),
        SystemExit(3),
        KeyboardInterrupt(),
        ImportError("lost", name="module", path="there"),
        AlreadyRunningError("NOOB's own"),
        ExceptionGroup("several", [ValueError(1), KeyError(2)]),
        _TwoArgumentsError(1, 2),
        _CountingError("much"),
        _KeywordOnlyError(code=4),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_arrives_as_it_was(error):
    error.add_note("a note")
    got = unpack_error(pack_error(error))
    assert type(got) is type(error)
    assert str(got) == str(error)
    assert repr(got.args) == repr(error.args)
    assert got.__notes__ == ["a note"]
    for name in ("errno", "filename", "object", "value", "code", "left", "name", "path"):
        assert getattr(got, name, None) == getattr(error, name, None)
    assert isinstance(got.__cause__, RemoteTraceback)


def test_what_cannot_travel_of_an_exception_stays():
    error = ValueError("text")
    error.lock = threading.Lock()
    error.number = 4
    got = unpack_error(pack_error(error))
    assert (type(got), str(got), got.number) == (ValueError, "text", 4)
    assert not hasattr(got, "lock")


def test_an_exception_that_cannot_be_made_here_is_told_by_name():
    class LocalError(Exception):
        pass

    got = unpack_error(pack_error(LocalError("why")))
    assert type(got) is RemoteError
    assert isinstance(got, ExecutorError)
    assert re.fullmatch(r".*test_an_exc.*<locals>\.LocalError: why", str(got))
    got = unpack_error(pack_error(_UnshowableError()))
    assert "no words" in str(got)


def test_the_cause_tells_the_traceback_with_all_causes():
    def inner():
        raise KeyError("the first")

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError("the second") from error
    except ValueError as error:
        data = pack_error(error)
    text = str(unpack_error(data).__cause__)
    for part in ("in inner", "KeyError: 'the first'", "direct cause", "ValueError: the second"):
        assert part in text
