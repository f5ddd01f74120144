"""Ends to waiting: a tube that never finishes is a failure of the suite's run, not a hang of it."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from noob.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from noob import Epoch, MetaEvent

EMPTY_BATCHES = 50
"""How many empty batches in a row mean that NOOB's scheduler spins."""


class ContractError(Exception):
    """The contract suite itself cannot go on."""


class HangError(ContractError, TimeoutError):
    """A run did not come to its end."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise in the main thread when the block takes longer than ``seconds``.

    Elsewhere than in the main thread of a POSIX system there is no alarm, and no limit here. An
    alarm that was set before (by a test runner, say) is set again afterwards.

    Raises:
        HangError: when the time is over
    """
    alarms = hasattr(signal, "setitimer")
    if not alarms or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"not finished after {seconds} s")

    handler = signal.signal(signal.SIGALRM, ring)
    start = time.monotonic()
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            left = remaining - (time.monotonic() - start)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))


@contextmanager
def batch_limit() -> Iterator[None]:
    """Raise when NOOB's own scheduler, also that of a nested tube, has nothing to do for ever.

    A synchronous runner asks its scheduler for the next batch as long as the epoch is active; when
    some node has not emitted all its signals, every batch is empty.

    Raises:
        HangError: after ``EMPTY_BATCHES`` empty batches in a row
    """
    get_ready, empty = Scheduler.get_ready, 0

    def counted(scheduler: Scheduler, epoch: Epoch | None = None) -> list[MetaEvent]:
        nonlocal empty
        batch = get_ready(scheduler, epoch)
        empty = 0 if batch else empty + 1
        if empty > EMPTY_BATCHES:
            raise HangError(f"the scheduler spins in epoch {epoch}")
        return batch

    with mock.patch.object(Scheduler, "get_ready", counted):
        yield
