"""The process of a cell: loads one runner, then runs a repeat whenever the suite asks for one.

Started as ``python -m noob_perf.measure.worker FD``, FD being its end of a pipe. Clocks and garbage
collection are here: a collection comes before each timed call and never counts, and the collector
stays on during it, as it is for whoever runs NOOB in earnest. The process leads a process group;
when the suite closes its end of the pipe, or dies, the whole group ends at once.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from noob_perf.measure.memory import memory_now, peak_rss_bytes
from noob_perf.measure.protocol import (
    Assignment,
    Failed,
    Load,
    Loaded,
    Repeat,
    Repeated,
    Reply,
    Request,
    Start,
    Started,
    Stop,
    Stopped,
    Weigh,
    Weighed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob_perf.measure.harness import Harness

    Pipe = Connection[Any, Any]

_T = TypeVar("_T")


def main(descriptor: int) -> None:
    """Serve the suite at the other end of the pipe until it asks to stop."""
    faulthandler.enable()
    pipe: Pipe = Connection(descriptor)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's only form
    assignment: Assignment = pipe.recv()
    requests: SimpleQueue[Request] = SimpleQueue()
    Thread(target=_listen, args=(pipe, requests), daemon=True).start()
    harness: Harness | None = None
    while True:
        request = requests.get()
        try:
            if harness is None:
                harness = _make(assignment)
            reply = _answer(harness, request)
        except Exception as error:  # noqa: BLE001 - whatever a runner raises is the cell's outcome
            reply = Failed(_one_line(error), traceback.format_exc())
        pipe.send(reply)
        if isinstance(request, Stop):
            return


def _listen(pipe: Pipe, requests: SimpleQueue[Request]) -> None:
    """Hand requests over; when the suite is gone, so is this process, with all that it started."""
    try:
        while True:
            requests.put(pipe.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def _make(assignment: Assignment) -> Harness:
    module, _, name = assignment.target.partition(":")
    made: Harness = getattr(importlib.import_module(module), name)(
        assignment.workload, assignment.workers
    )
    return made


def _answer(harness: Harness, request: Request) -> Reply:
    match request:
        case Load():
            harness.prepare()
            load_s, _ = _timed(harness.load)
            return Loaded(load_s, native=harness.native)
        case Start():
            start_s, _ = _timed(harness.start)
            return Started(start_s, harness.workers)
        case Repeat(epochs):
            seconds, results = _timed(lambda: harness.run(epochs))
            return Repeated(seconds, tuple(results), peak_rss_bytes())
        case Weigh():
            gc.collect()
            return Weighed(memory_now())
        case Stop():
            harness.stop()
            return Stopped()


def _timed(call: Callable[[], _T]) -> tuple[float, _T]:
    gc.collect()
    start = perf_counter()
    value = call()
    return perf_counter() - start, value


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    main(int(sys.argv[1]))
