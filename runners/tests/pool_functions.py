"""What the tests of the pool run in workers, and how they ask it to."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from noob import Epoch
from noob.event import MetaSignal
from noob.node.base import WrapClassNode, process_method
from noob.node.spec import NodeSpecification

from noob_runners.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noob_runners.executor import Result
    from noob_runners.pool import WorkerPool

LIMIT_S = 60.0
"""How long anything may take that will surely come."""
EPOCH = Epoch(0)


def recipe(
    call: Any,
    first: int,
    positional: tuple[int, ...] = (0,),
    *,
    keyword: tuple[tuple[str, int], ...] = (),
    signals: tuple[str, ...] = ("value",),
    epoch_slot: str | None = None,
    stateful: bool = False,
) -> Recipe:
    """A step named after its function; slots from 100 on are outputs."""
    name = getattr(call, "__name__", None) or getattr(call, "id", None) or type(call).__name__
    return Recipe(name, signals, first, positional, keyword, epoch_slot, call, stateful)


def gather(pool: WorkerPool, count: int) -> dict[int, Result]:
    """So many results, by ticket; each ticket once."""
    results: dict[int, Result] = {}
    end = time.monotonic() + LIMIT_S
    while len(results) < count:
        assert time.monotonic() < end, f"{len(results)} of {count} results came"
        for result in pool.wait(1.0):
            assert result.ticket not in results
            results[result.ticket] = result
    return results


def until(condition: Callable[[], bool], pool: WorkerPool | None = None) -> None:
    """Wait for something, while the pool goes on."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        if pool is None:
            time.sleep(0.01)
        else:
            assert pool.wait(0.01) == []


@contextmanager
def clean_pools() -> Iterator[Callable[..., WorkerPool]]:
    """Starts pools, stops them, and sees that nothing of them is left."""
    from noob_runners.pool import WorkerPool  # noqa: PLC0415 (workers, who import this, need it not)

    shared = Path("/dev/shm")
    files = set(shared.iterdir()) if shared.is_dir() else set()
    threads = set(threading.enumerate())
    pools = []

    def start(recipes: Any, workers: int = 2, **options: Any) -> WorkerPool:
        options.setdefault("start_method", "forkserver")
        pool = WorkerPool(workers, **options)
        pools.append(pool)
        assert pool.start(recipes if isinstance(recipes, dict) else {0: recipes}) == {}
        return pool

    yield start
    for pool in pools:
        pool.stop()
        pool.stop()
    assert _workers() == []
    until(lambda: set(threading.enumerate()) <= threads)
    assert (set(shared.iterdir()) if shared.is_dir() else set()) <= files


def _workers() -> list[int]:
    """All processes that this one has started, but for the servers of `multiprocessing`."""
    import psutil  # noqa: PLC0415 (as above)

    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            is_ours = process.ppid() == os.getpid()
            is_server = "multiprocessing.forkserver" in command or "resource_tracker" in command
            if not (is_ours and is_server):
                found.append(process.pid)
    return found


def ready(pool: WorkerPool, count: int = 2) -> WorkerPool:
    """Wait until all workers are."""
    until(lambda: pool.capacity == count, pool)
    return pool


def one(pool: WorkerPool, step: int | tuple[int, ...], values: dict[int, Any]) -> Result:
    """The result of one call."""
    pool.submit([(0, (step,) if isinstance(step, int) else step, values, EPOCH)])
    return gather(pool, 1)[0]


def class_node(cls: type, name: str, **params: Any) -> WrapClassNode:
    """A stateful node, as NOOB makes it."""
    spec = NodeSpecification(id=name, type=f"{__name__}.{cls.__name__}")
    return WrapClassNode(id=name, cls=cls, params=params, spec=spec)


def add(*args: Any) -> Any:
    return sum(args)


def same(value: Any) -> Any:
    return value


def noop(*_: Any) -> None:
    pass


def pid(*_: Any) -> int:
    return os.getpid()


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def slow_pid(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def busy(seconds: float) -> None:
    """Python code that never gives up the interpreter by itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def named(a: Any = None, *, b: Any = None, epoch: Any = None) -> tuple[Any, Any, Any]:
    return a, b, epoch


def pair(value: Any) -> tuple[Any, Any]:
    return value, value + 1


def no_event(_: Any) -> Any:
    return MetaSignal.NoEvent


def many_bytes(size: int) -> bytes:
    return b"x" * size


def ones(size: int) -> Any:
    return np.ones(size)


def add_one_in_place(array: Any) -> float:
    array += 1
    return float(array.sum())


def total(array: Any) -> float:
    return float(array.sum())


def address(array: Any) -> tuple[int, bool]:
    return array.ctypes.data, array.flags.writeable


def fail(value: Any) -> NoReturn:
    raise Odd(value, "odd")


def fail_with_cause(_: Any) -> NoReturn:
    try:
        {}["the first"]
    except KeyError as error:
        raise ValueError("the second") from error


def leave(_: Any) -> NoReturn:
    sys.exit(3)


def die(_: Any) -> NoReturn:
    os.kill(os.getpid(), 9)
    raise AssertionError


def die_if_absent(path: str) -> int:
    """Die the first time: the file tells."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), 9)
    return os.getpid()


def append_line(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line + "\n")


def note_and_sleep(path: str, line: str, seconds: float) -> int:
    append_line(path, line)
    time.sleep(seconds)
    return os.getpid()


def fork_and_tell(path: str) -> int:
    """Leave a child behind that has all our files open, and sleep."""
    child = os.fork()
    if not child:
        time.sleep(600)
        os._exit(0)
    append_line(path, f"{os.getpid()} {child}")
    time.sleep(600)
    return child


def lock(_: Any) -> Any:
    return threading.Lock()


def pair_with_lock(value: Any) -> tuple[Any, Any]:
    return value, threading.Lock()


def unreadable(_: Any) -> Any:
    return Unreadable()


def no_more_files(_: Any) -> int:
    """From now on this process cannot open any."""
    used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (used, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    return os.getpid()


class Odd(Exception):  # noqa: N818
    """Its arguments are not those that it is made with."""

    def __init__(self, value: Any, word: str) -> None:
        super().__init__(f"{word} {value}")
        self.value = value


class Deadly:
    """It ends the process that unpickles it."""

    def __call__(self, value: Any) -> Any:
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (7,)


class Unreadable:
    """It can be pickled, but not unpickled, but in the process that made it."""

    def __init__(self) -> None:
        self.made = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return _only_in, (self.made,)


def _only_in(made: int) -> Unreadable:
    if os.getpid() != made:
        raise RuntimeError("not in this process")
    return Unreadable()


class Summing:
    """A stateful node."""

    def __init__(self, log: str = "") -> None:
        self.total = 0
        self.log = log

    def process(self, value: int) -> tuple[int, int]:
        self.total += value
        return self.total, os.getpid()

    def deinit(self) -> None:
        if self.log:
            append_line(self.log, f"deinit {self.total}")


class Dying:
    """A stateful node that ends its process, or never comes back, if it is told to."""

    @process_method
    def handle(self, value: str) -> str:
        if value == "die":
            os.kill(os.getpid(), 9)
        if value == "sleep":
            time.sleep(600)
        return value


def count_from(start: int = 0) -> Iterator[int]:
    while True:
        yield start
        start += 1


def tell_and_be_busy(path: str) -> None:
    append_line(path, str(os.getpid()))
    busy(600)
