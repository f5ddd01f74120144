"""The suite's side of a cell: its process, its time limit, and the certainty that it ends.

The process is the leader of a session of its own, so that whatever it starts can be ended with it,
and a Ctrl-C in the terminal reaches the suite alone. Only the time that the suite waits for a cell
counts against the cell's limit, not the time that it waits for its turn.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from multiprocessing import Pipe
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from noob_perf.measure.protocol import Assignment, Failed, Stop, Stopped

if TYPE_CHECKING:
    from noob_perf.measure.protocol import Reply, Request
    from noob_perf.registry import RunnerEntry

_Expected = TypeVar("_Expected", bound="Reply")

_LOOK_S = 0.2
"""How often a waiting suite looks whether the process lives: its end need not close the pipe."""
_STOP_S = 20.0
"""How long a runner may take to stop in good order."""
_FOLDERS = re.compile(r"(?<=[\"'])/(?:[^/\"']+/)+|(?<![\w.:/])/(?:[^/\s\"']+/)+")
"""The folders of an absolute path, with blanks if it is quoted; nothing of a URL or a fraction."""
_LAST_LINES = 3
"""How much of what a crashed process wrote belongs into a reason."""


class CellError(Exception):
    """A cell could not answer; the message is the reason for its row, and names no folders."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, with the files that it names but not where this machine has them."""
        super().__init__(_FOLDERS.sub("", reason))


class CellUnsupportedError(CellError):
    """What the cell was to measure is not there."""


class CellTimeoutError(CellError):
    """A cell used up its time."""


class Cell:
    """One runner or component in one process, and what may be asked of it.

    Args:
        entry: what is measured.
        workload: what it is to run: of a runner a Workload, of a component a case.
        workers: the processes or threads that it may use; None for its own choice.
        timeout_s: the seconds that its answers may take, all together.
    """

    def __init__(
        self, entry: RunnerEntry, workload: object, workers: int | None, timeout_s: float
    ) -> None:
        """Keep what is to be run; the process starts with the first request."""
        self.entry = entry
        self.workload = workload
        self.workers = workers
        self.timeout_s = timeout_s
        self.used_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pipe: Any = None

    def ask(self, request: Request, expected: type[_Expected]) -> _Expected:
        """Send a request and wait for its reply.

        Args:
            request: what is asked.
            expected: the type of the reply to it.

        Raises:
            CellTimeoutError: the cell's time is used up; its process has been ended.
            CellError: the request raised, or the process ended; it is no longer there.
        """
        began = monotonic()
        try:
            if self._process is None:
                self._start_process()
            reply = self._exchange(request, began + self.timeout_s - self.used_s)
        except CellError:
            self.kill()
            raise
        finally:
            self.used_s += monotonic() - began
        if not isinstance(reply, expected):
            raise TypeError(f"{self.entry.name} answered {request!r} with {reply!r}")
        return reply

    def stop(self) -> str:
        """Let the runner stop in good order, then make sure that nothing is left of it.

        Returns:
            What went wrong, or an empty string.
        """
        if self._process is None:
            return ""
        self.timeout_s, self.used_s = _STOP_S, 0.0
        try:
            self.ask(Stop(), Stopped)
        except CellError as error:
            return f"it did not stop in good order: {error}"
        finally:
            self.kill()
        return ""

    def kill(self) -> None:
        """End the process and all that it started, at once; does nothing if there is none."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start_process(self) -> None:
        try:
            self._spawn()
        except OSError as error:
            raise CellError(f"its process could not be started: {error}") from error

    def _spawn(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="noob-")
        self._pipe, theirs = Pipe()
        # NOOB's sockets and log files go into a folder that is removed with the cell
        env = os.environ | {
            "XDG_RUNTIME_DIR": self._folder.name,
            "NOOB_TMP_DIR": self._folder.name,
            "NOOB_LOGS__DIR": self._folder.name,
            **self.entry.env,
        }
        with theirs, self._written.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "noob_perf.measure.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
            )
        self._pipe.send(Assignment(self.entry.target, self.workload, self.workers))

    def _exchange(self, request: Request, deadline: float) -> Reply:
        try:
            self._pipe.send(request)
            reply = self._receive(deadline)
        except (EOFError, OSError):
            raise CellError(self._obituary()) from None
        if isinstance(reply, Failed):
            kind = CellUnsupportedError if reply.unsupported else CellError
            raise kind(reply.error)
        return reply

    def _receive(self, deadline: float) -> Reply:
        while not self._pipe.poll(min(_LOOK_S, max(0.0, deadline - monotonic()))):
            if self._process is not None and self._process.poll() is not None:
                if self._pipe.poll(0):  # its last words
                    break
                raise EOFError
            if monotonic() >= deadline:
                raise CellTimeoutError(f"no answer within its {self.timeout_s:g} s")
        reply: Reply = self._pipe.recv()
        return reply

    @property
    def _written(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "output.txt"

    def _obituary(self) -> str:
        """Say how the process ended, and the last that it wrote."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            return "its process closed the pipe"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        lines = self._written.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:]
        last = " | ".join(line.strip() for line in lines)
        return f"its process ended by {how}" + (f": {last}" if last else "")
