"""The process of a worker: started in the background, noticed when it ends, ended by force."""

from __future__ import annotations

import signal
import threading
from multiprocessing import forkserver, resource_tracker
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from noob_runners.pool.worker import main

if TYPE_CHECKING:
    import socket

__all__ = ["WorkerProcess"]

_NOTED_S = 5.0
"""How long another thread may take to note the end of a process that it was told of."""


class WorkerProcess:
    """A process that runs `noob_runners.pool.worker.main`, from its start to its end."""

    def __init__(
        self, context: Any, name: str, sock: socket.socket, bell: socket.socket, number: int
    ) -> None:
        """Begin to start it.

        Args:
            context: of `multiprocessing`, which says how.
            name: what the process is called.
            sock: the worker's; it is closed here when the worker has it.
            bell: likewise.
            number: of its file.
        """
        self._process = context.Process(
            target=main, args=(sock, bell, number), name=name, daemon=True
        )
        self._ends = sock, bell
        self._method = context.get_start_method()
        self._cause: Exception | None = None
        """Why it could not be started."""
        self._starter: threading.Thread | None
        if self._method == "fork":  # which copies all threads' locks, but not the threads
            self._starter = None
            self._start()
        else:
            # A fork server answers when it has imported what it is to import.
            self._starter = threading.Thread(target=self._start, name="noob-starter")
            self._starter.start()

    def _start(self) -> None:
        try:
            # What starts processes must not inherit what follows.
            if self._method != "fork":
                resource_tracker.ensure_running()
            if self._method == "forkserver":
                forkserver.ensure_running()
            # The worker inherits it: it cannot be interrupted before it has said so itself.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self._process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except Exception as error:  # noqa: BLE001 (said by whoever sees to the end)
            self._cause = error
        finally:
            for end in self._ends:
                end.close()

    def _wait_for_start(self) -> None:
        if self._starter is not None:
            self._starter.join()

    @property
    def sentinel(self) -> int:
        """Can be read, as a file, when the process has ended. It must have been started."""
        self._wait_for_start()
        return int(self._process.sentinel)

    @property
    def has_ended(self) -> bool:
        """Whether it has."""
        return self._cause is not None or self._process.exitcode is not None

    def kill(self) -> None:
        """End it at once."""
        self._wait_for_start()
        if self._cause is None:
            self._process.kill()

    def terminate(self) -> None:
        """End it, unless it refuses."""
        self._wait_for_start()
        if self._cause is None:
            self._process.terminate()

    def end(self, patience_s: float) -> str:
        """See it end, by force if it takes longer than that; returns why it has ended."""
        self._wait_for_start()
        if self._cause is not None:
            return f"{type(self._cause).__name__}: {self._cause}"
        self._process.join(patience_s)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        # Another thread that starts a process looks after all of them: it may have been told of
        # this one's end, which is told once, and be about to note it.
        until = monotonic() + _NOTED_S
        while self._process.exitcode is None and monotonic() < until:
            sleep(0.001)
        return f"exit code {self._process.exitcode}"

    def close(self) -> None:
        """Close what is left of it; it has ended."""
        if self._cause is None:
            self._process.close()
