"""One run of a tube for the command: started, run epoch after epoch, and stopped in any case."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from noob.exceptions import InputError, SchedulerExhaustedError

from noob_runners.command.output import OutputError, ReaderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from noob.runner import TubeRunner

    from noob_runners.command.interrupts import Interrupts

__all__ = ["Refusal", "Session"]

Ending = Literal["done", "exhausted", "unread", "interrupted", "refused", "failed"]


class Refusal(Exception):  # noqa: N818 (what was asked for is wrong, not the program)
    """What was asked for makes no sense; the message tells the user why."""


@dataclass
class Session:
    """Runs epochs until the inputs, the tube or the user end it, and knows what came of it."""

    runner: TubeRunner
    interrupts: Interrupts
    emit: Callable[[int, Any], None]
    """Takes the number and the result of each epoch that has one. No signal interrupts it."""
    advanced: Callable[[int], None]
    """Is told how many epochs there have been, after each."""
    epochs: int = 0
    results: int = 0
    """How many results have been taken by `emit`."""
    seconds: float = 0.0
    """From the begin of the first epoch to the end of the last."""
    ending: Ending = "done"
    """Why it ended. "unread": the reader of the results has closed the pipe."""
    problems: list[tuple[str, BaseException]] = field(default_factory=list)
    """What went wrong: a message and its exception each."""

    def run(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        """Run an epoch for each mapping of process-scoped inputs, and stop the runner.

        Nothing is raised: `ending` and `problems` tell.
        """
        started = False
        try:
            try:
                self.runner.init()
                started = True
                self._run(inputs)
            except BaseException as error:  # noqa: BLE001 (it is reported, whatever it is)
                self._end(error, f"in epoch {self.epochs}" if started else "at its start")
        finally:  # also where a second signal has come meanwhile
            self._stop(started=started)

    def _stop(self, *, started: bool) -> None:
        try:
            with self.interrupts.held():
                self.runner.deinit()
        except BaseException as error:  # noqa: BLE001 (the same)
            if started or isinstance(error, KeyboardInterrupt):
                self._end(error, "at its end")
            # else it only says that what failed to start cannot be stopped

    def _run(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        begun = time.perf_counter()
        try:
            for given in inputs:
                try:
                    result = self.runner.process(**given)
                except (SchedulerExhaustedError, StopIteration):  # as NOOB's `run` takes them
                    self.ending = "exhausted"
                    return
                epoch = self.epochs
                self.epochs += 1
                if result is not None:
                    with self.interrupts.held():
                        self.emit(epoch, result)
                        self.results += 1
                self.advanced(self.epochs)
        finally:
            self.seconds = time.perf_counter() - begun

    def _end(self, error: BaseException, when: str) -> None:
        if self.ending in ("done", "exhausted", "unread"):
            self.ending = _ending(error)
        if isinstance(error, KeyboardInterrupt | ReaderGoneError):
            return
        if isinstance(error, OutputError | Refusal):
            message = str(error)
        elif isinstance(error, InputError):
            message = f"input of epoch {self.epochs}: {error}"
        else:
            told = "".join(traceback.format_exception_only(error)).strip()  # with the node's name
            message = f"the tube failed {when}: {told}"
        self.problems.append((message, error))


def _ending(error: BaseException) -> Ending:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ReaderGoneError):
        return "unread"
    return "refused" if isinstance(error, Refusal | InputError) else "failed"
