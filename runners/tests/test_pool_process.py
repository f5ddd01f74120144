"""The process of a worker, as its pool sees it."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from multiprocessing import popen_fork
from types import SimpleNamespace
from typing import Any

import pytest

from noob_runners.pool.process import WorkerProcess

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
]


def test_an_end_that_another_thread_was_told_of_is_awaited(monkeypatch):
    """As when that thread starts a process, which looks after those that have ended."""
    told = threading.Event()
    note: list[threading.Timer] = []
    wait = os.waitpid

    def waitpid(pid: int, flags: int) -> tuple[int, int]:
        if not told.is_set():
            told.set()
            ended = wait(pid, 0)
            note.append(threading.Timer(0.2, answers.append, [ended]))
            note[0].start()
        if not answers:
            raise ChildProcessError
        return answers[0]

    answers: list[tuple[int, int]] = []
    fork = multiprocessing.get_context("fork")
    started: list[Any] = []

    def process(**_: Any) -> Any:
        started.append(fork.Process(target=os._exit, args=(3,), daemon=True))
        return started[0]

    context = SimpleNamespace(Process=process, get_start_method=lambda: "fork")
    ours, theirs = socket.socketpair(), socket.socketpair()
    worker = WorkerProcess(context, "worker", ours[0], theirs[0], 1)
    with monkeypatch.context() as patch:
        patch.setattr(popen_fork, "os", SimpleNamespace(**vars(os) | {"waitpid": waitpid}))
        assert worker.end(5.0) == "exit code 3"
        worker.close()
    note[0].join(5)
    for end in (*ours, *theirs):
        end.close()
