"""What the lab's commands share: the way from arguments to results, their files and an exit code.

Progress and warnings go to stderr, the table to stdout.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from contextlib import contextmanager, suppress
from enum import IntEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from rich.console import Console

from noob_perf.report.progress import ProgressReport
from noob_perf.results import (
    ComponentsResult,
    Outcome,
    ParallelResult,
    SuiteResult,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from rich.console import RenderableType

    from noob_perf.measure.turns import Observer

_Result = TypeVar("_Result", SuiteResult, ParallelResult, ComponentsResult)

_WIDTH = 150
"""Columns of the table where there is no terminal to tell how many there are."""


class ExitCode(IntEnum):
    """What a command says to the shell."""

    DONE = 0
    """Every cell was measured or is unsupported."""
    FAILED = 1
    """Some cell failed, ran out of time, or was interrupted; or a file could not be written."""
    USAGE = 2
    """The arguments do not make sense; nothing was started."""
    NOTHING = 3
    """Nothing was measured."""


class Presentation(NamedTuple, Generic[_Result]):
    """How an experiment's results are shown."""

    table: Callable[[_Result], RenderableType]
    page: Callable[[_Result], str]
    warnings: Callable[[_Result], list[str]]
    outcomes: Callable[[_Result], Iterable[Outcome]]
    """One a cell."""


def add_files(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options that say where results are written; return their group."""
    where = parser.add_argument_group("where the results go")
    where.add_argument(
        "--json", type=_writable, default=None, metavar="FILE", help="write the results as JSON"
    )
    where.add_argument(
        "--html", type=_writable, default=None, metavar="FILE",
        help="write the results as a page that needs no network",
    )  # fmt: skip
    return where


def consoles() -> tuple[Console, Console]:
    """Return what to write results on, and what to write messages on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a µ must not cost a result where it has no code
            stream.reconfigure(errors="replace")
    out = Console()
    if not out.is_terminal:
        out = Console(width=max(out.width, _WIDTH))
    return out, Console(stderr=True)


def conduct(
    arguments: argparse.Namespace,
    parser: argparse.ArgumentParser,
    measure: Callable[[Observer], _Result],
    shown: Presentation[_Result],
) -> ExitCode:
    """Measure, write the files that were asked for, and show the results.

    Args:
        arguments: parsed, those of `add_files` among them.
        parser: what reports wrong usage.
        measure: does the experiment, and tells the observer how far it is.
        shown: how its results are shown.
    """
    if arguments.json and arguments.html and arguments.json.resolve() == arguments.html.resolve():
        parser.error(f"--json and --html are the same file, {str(arguments.html)!r}")
    out, messages = consoles()
    try:
        with _stopped_once():
            with ProgressReport(messages) as progress:
                result = measure(progress)
            files = ((arguments.json, to_json), (arguments.html, shown.page))
            written = [_write(file, text(result), messages) for file, text in files if file]
    except KeyboardInterrupt:
        messages.print("interrupted before anything was measured")
        return ExitCode.NOTHING
    out.print(shown.table(result), highlight=False)
    for warning in shown.warnings(result):
        messages.print(
            f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True
        )
    code = exit_code(shown.outcomes(result), interrupted=result.interrupted)
    return max(code, ExitCode.DONE if all(written) else ExitCode.FAILED)


def exit_code(outcomes: Iterable[Outcome], *, interrupted: bool) -> ExitCode:
    """Sum up the outcomes of all cells for the shell."""
    found = set(outcomes)
    if Outcome.SUCCESS not in found:
        return ExitCode.NOTHING
    if interrupted or found & {Outcome.FAILURE, Outcome.TIMEOUT}:
        return ExitCode.FAILED
    return ExitCode.DONE


def spell(
    module: str, option: str, names: Iterable[str], arguments: argparse.Namespace, *more: str
) -> str:
    """Write the command that measures the same again, every option spelt out.

    Args:
        module: what is run.
        option: says what is to be measured, given once for each of the names.
        names: of what is to be measured.
        arguments: parsed, ``timeout`` in seconds and ``quick`` among them.
        more: words for other options.
    """
    words = ["python", "-m", module]
    for name in names:
        words += [option, name]
    words += [*more, "--timeout", f"{arguments.timeout:g}"]
    return shlex.join(words + (["--quick"] if arguments.quick else []))


def positive_int(text: str) -> int:
    """Read an argument that must be a whole number of at least 1."""
    with suppress(ValueError):
        if (value := int(text)) >= 1:
            return value
    raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")


def positive_float(text: str) -> float:
    """Read an argument that must be a finite number above 0."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"must be a number, more than 0 and finite, not {text!r}")


def _writable(text: str) -> Path:
    """Refuse a file that could not be written, before minutes have gone into its content."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a file in a folder that exists")
    needed = [path] if path.exists() else []
    if not _is_special(path):
        needed.append(path.resolve().parent)
    if not all(os.access(place, os.W_OK) for place in needed):
        raise argparse.ArgumentTypeError(f"{text!r} may not be written")
    return path


def _is_special(path: Path) -> bool:
    """Whether it is a device or a pipe: something to write to, never to put a file in place of."""
    return path.exists() and not path.is_file()


def _write(path: Path, text: str, messages: Console) -> bool:
    """Write a file whole, so that a reader never sees half of it; return whether that worked.

    A failure is said and no more: the table, which is still to come, must not be lost with it.
    """
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
            return True
        target = path.resolve()  # a link stays a link
        partial = target.with_name(f".{target.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        messages.print(f"not written: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    return True


@contextmanager
def _stopped_once() -> Iterator[None]:
    """Make the first signal to stop a KeyboardInterrupt, and ignore those after it.

    A second Ctrl-C must not cut off the cleaning up after the first.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in restored:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    restored = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in restored:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in restored.items():
            signal.signal(number, handler)
