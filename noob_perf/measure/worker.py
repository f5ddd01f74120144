"""The process of a cell: holds one runner or component, and does what the suite asks of it.

Started as ``python -m noob_perf.measure.worker FD``, FD being its end of a pipe. The process leads
a process group; when the suite closes its end of the pipe, or dies, the whole group ends at once.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from noob_perf.errors import UnsupportedError, one_line
from noob_perf.measure.protocol import Assignment, Failed, Request, Stop

if TYPE_CHECKING:
    from noob_perf.measure.protocol import Answerer

    Pipe = Connection[Any, Any]


def main(descriptor: int) -> None:
    """Serve the suite at the other end of the pipe until it asks to stop."""
    faulthandler.enable()
    pipe: Pipe = Connection(descriptor)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's only form
    assignment: Assignment = pipe.recv()
    requests: SimpleQueue[Request] = SimpleQueue()
    Thread(target=_listen, args=(pipe, requests), daemon=True).start()
    answerer: Answerer | None = None
    while True:
        request = requests.get()
        try:
            if answerer is None:
                answerer = _make(assignment)
            reply = answerer.answer(request)
        except UnsupportedError as error:
            reply = Failed(str(error), traceback.format_exc(), unsupported=True)
        except Exception as error:  # noqa: BLE001 - whatever a runner raises is the cell's outcome
            reply = Failed(one_line(error), traceback.format_exc())
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


def _make(assignment: Assignment) -> Answerer:
    module, _, name = assignment.target.partition(":")
    made: Answerer = getattr(importlib.import_module(module), name)(
        assignment.workload, assignment.workers
    )
    return made


if __name__ == "__main__":
    main(int(sys.argv[1]))
