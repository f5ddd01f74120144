"""Ctrl-C at the right moment: a signal waits while something must be done as a whole."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Interrupts"]


class Interrupts:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt while its block runs.

    A signal that the process was started to ignore stays ignored. Outside of the main thread, where
    Python knows no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self._previous: dict[int, Any] = {}
        self._last = signal.SIGINT
        self._holding = False
        self._held = False

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that the last signal ended: 130 after Ctrl-C."""
        return 128 + self._last

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block come to its end first; a second signal ends it all the same.

        Raises:
            KeyboardInterrupt: at the end, if there was a signal.
        """
        self._holding, self._held = True, False
        try:
            yield
        finally:
            self._holding = False
        if self._held:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_error: object) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._last = signal.Signals(number)
        if self._holding and not self._held:
            self._held = True
        else:
            raise KeyboardInterrupt
