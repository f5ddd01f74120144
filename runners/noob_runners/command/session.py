"""One run of a tube for the command: started, run epoch after epoch, and stopped in any case."""

from __future__ import annotations

import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from noob.exceptions import InputError, SchedulerExhaustedError

from noob_runners.command.output import OutputError, ReaderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from noob.runner import TubeRunner

    from noob_runners.command.interrupts import Interrupts

__all__ = ["Refusal", "Session"]

Ending = Literal["done", "exhausted", "unread", "interrupted", "refused", "failed"]
_ProcessMany: TypeAlias = "Callable[[Iterable[Mapping[str, Any]]], Generator[Any, None, None]]"
_END = object()


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
    ahead: bool = True
    """Whether an input may be read before the results of those before it are there. Only then can
    a runner with ``process_many`` have several epochs in flight."""
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
        many = getattr(self.runner, "process_many", None) if self.ahead else None
        begun = time.perf_counter()
        try:
            if many is None:
                self._run_each(inputs)
            else:
                self._run_many(many, inputs)
        finally:
            self.seconds = time.perf_counter() - begun

    def _run_each(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        for given in inputs:
            try:
                result = self.runner.process(**given)
            except (SchedulerExhaustedError, StopIteration):  # as NOOB's `run` takes them
                self.ending = "exhausted"
                return
            self._take(result)

    def _run_many(self, many: _ProcessMany, inputs: Iterable[Mapping[str, Any]]) -> None:
        unread: list[Exception] = []
        with closing(many(_readable(inputs, unread))) as results:
            while True:
                try:
                    result = next(results, _END)
                except RuntimeError as error:
                    # (A node's StopIteration is a RuntimeError's cause here: so generators do.)
                    if not isinstance(error, SchedulerExhaustedError) and not isinstance(
                        error.__cause__, StopIteration
                    ):
                        raise
                    self.ending = "exhausted"
                    return
                if result is _END:
                    break
                self._take(result)
        if unread:
            raise unread[0]

    def _take(self, result: Any) -> None:
        epoch = self.epochs
        self.epochs += 1
        if result is not None:
            with self.interrupts.held():
                self.emit(epoch, result)
                self.results += 1
        self.advanced(self.epochs)

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


def _readable(
    inputs: Iterable[Mapping[str, Any]], unread: list[Exception]
) -> Iterator[Mapping[str, Any]]:
    """The inputs before one that cannot be read: why goes to `unread`, as results come first."""
    try:
        yield from inputs
    except Exception as error:  # noqa: BLE001 (raised again when the results have come)
        unread.append(error)


def _ending(error: BaseException) -> Ending:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ReaderGoneError):
        return "unread"
    return "refused" if isinstance(error, Refusal | InputError) else "failed"
