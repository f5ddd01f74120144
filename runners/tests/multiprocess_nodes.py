"""The nodes that the tests of MultiProcessRunner run in workers, and in this process.

Annotations are real objects here: NOOB reads signals and slots from them.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from itertools import count as counting
from pathlib import Path
from typing import Annotated, Any, NoReturn

from noob import Name

LIMIT_S = 60.0
"""How long anything may take that will surely come."""
HERE: dict[str, Any] = {}
"""What a test gives nodes that run in its own process, or takes from them."""


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} has not happened"
        time.sleep(0.005)
    return found


# --- sources


def numbers(limit: int | None = None, drawn: str = "drawn") -> Generator[int, None, None]:
    """Counts from 0; notes here what was drawn."""
    for at in counting() if limit is None else range(limit):
        HERE.setdefault(drawn, []).append(at)
        yield at


def bounded() -> Generator[int, None, None]:
    """Counts from 0; notes how many epochs had begun and were not handed back."""
    for at in counting():
        HERE["open"].append(at + 1 - HERE["taken"])
        yield at


def locks() -> Generator[Any, None, None]:
    """What cannot be pickled."""
    while True:
        yield threading.Lock()


def generators() -> Generator[Any, None, None]:
    """What cannot be pickled either."""
    while True:
        yield (at for at in range(3))


def breaking(at: int = 3) -> Generator[int, None, None]:
    """A source that breaks."""
    yield from range(at)
    raise RuntimeError(f"the source broke at {at}")


# --- calls


def quick(value: Any) -> Any:
    """Next to nothing."""
    return value


def pid(value: Any) -> int:
    """Where it runs."""
    return os.getpid()


def lazy(value: Any, seconds: float = 0.005) -> list[Any]:
    """Something that is worth sending; says where it ran."""
    time.sleep(seconds)
    return [value, os.getpid()]


def hurried(value: int, after: int = 10) -> int:
    """Slow at first, then quick; says where it ran."""
    if value < after:
        time.sleep(0.005)
    return os.getpid()


def backwards(value: int, period: int = 4) -> int:
    """Of each so many calls the last ends first."""
    time.sleep(0.005 * (period - value % period))
    return value


def meet(value: int, folder: str, wanted: int) -> int:
    """Ends when so many calls have begun, whoever made them."""
    Path(folder, str(value)).touch()
    until(lambda: len(list(Path(folder).iterdir())) >= wanted, "a meeting")
    return value


def shout(value: int, folder: str) -> int:
    """Leaves a file for each call."""
    Path(folder, f"{value}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return value


def refuse(value: int, at: int = 3) -> int:
    """Raises at one value."""
    if value == at:
        raise Odd(value, "odd")
    return value


def fine(value: int) -> int:
    """Raises what has arguments of an unusual kind."""
    raise KeywordOnly(code=value)


def ten(value: int) -> list[int]:
    """A list for a map."""
    return [10 * value + at for at in range(3)]


def add(left: Any, right: Any) -> Any:
    """The sum."""
    return left + right


def split(value: int) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:
    """Two signals."""
    return value % 3, value // 3


def lock(value: Any, seconds: float = 0.0) -> Any:
    """Returns what cannot be pickled."""
    time.sleep(seconds)
    return threading.Lock()


def kind(value: Any, seconds: float = 0.0, folder: str = "") -> str:
    """Takes anything."""
    if folder:
        Path(folder, "called").touch()
    time.sleep(seconds)
    return type(value).__name__


shy = lambda value: [value, os.getpid()]  # noqa: E731 (it is to have no name, so no pickle)


def slow_shy() -> Any:
    """Makes a function that cannot be pickled, and is worth sending."""

    def nameless(value: Any) -> list[Any]:
        time.sleep(0.005)
        return [value, os.getpid()]

    return nameless


shy_and_slow = slow_shy()


# --- faults


def linger(value: int, folder: str, at: int = 0) -> int:
    """At one value: says which process it is in, and waits until it may go on."""
    if value == at:
        Path(folder, f"pid-{os.getpid()}").touch()
        until(Path(folder, "go").exists, "a sign to go on")
    return value * 10


def fatal(value: int, at: int = 1) -> int:
    """Ends its worker at one value."""
    if value == at:
        os._exit(3)
    return value


def frozen(value: int, at: int = 1) -> int:
    """Stops its process at one value."""
    if value == at:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(LIMIT_S)
    return value


def leave(value: int) -> NoReturn:
    """Asks to end the process."""
    sys.exit(4)


def stop_here(value: int, at: int = 2) -> int:
    """Stops the runner that runs it, which is in this process."""
    if value == at:
        HERE["runner"].deinit()
    return value


class Odd(Exception):  # noqa: N818
    """Its arguments are not those that it is made with."""

    def __init__(self, value: Any, word: str) -> None:
        super().__init__(f"{word} {value}")
        self.value = value


class KeywordOnly(Exception):  # noqa: N818
    """It takes no positional argument."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.add_note("of its own")


class Sum:
    """A stateful node; ends its process at one value, if it is told to."""

    def __init__(self, dies_at: int = -1) -> None:
        self.total = 0
        self.dies_at = dies_at

    def process(self, value: int) -> list[int]:
        self.total += value
        if value == self.dies_at:
            os._exit(3)
        return [self.total, os.getpid()]


class Seen:
    """A stateful node: all that it was given, in order."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def process(self, value: int) -> list[int]:
        self.values.append(value)
        return list(self.values)


# --- large values


def ramp(value: int, size: int = 400_000) -> Any:
    """An array of 8 bytes an element."""
    import numpy as np  # noqa: PLC0415 (most workers need none)

    return np.arange(size, dtype=np.float64) + value


def plus_one(array: Any) -> Any:
    """A new array."""
    return array + 1


def spoil(array: Any) -> float:
    """Changes what it is given."""
    array[:] = -1
    return float(array[0])


def total(array: Any) -> float:
    """The sum of an array."""
    return float(array.sum())


# --- what was found in review


def pair(first: Any, second: Any) -> list[Any]:
    """Both."""
    return [first, second]


def unique(value: Any) -> str:
    """Never the same twice."""
    return f"{value}-{os.getpid()}-{time.monotonic_ns()}-{next(_UNIQUE)}"


_UNIQUE = counting()


class Heavy:
    """Takes a second to pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        time.sleep(1.0)
        return Heavy, ()


def heavy(value: Any) -> Any:
    """Returns what takes a second to pickle."""
    return Heavy()
