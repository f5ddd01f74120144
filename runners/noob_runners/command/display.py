"""What a person sees of a run on standard error: a progress bar, then a line of summary."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from noob_runners.command.session import Session

__all__ = ["Display", "summary"]

_INTERVAL_S = 0.1
"""How often the bar is told: an epoch may take less time than telling it would."""


class Display:
    """A progress bar over epochs, while its block runs.

    Args:
        title: what is being run.
        total: how many epochs there will be; None if nobody knows.
        wanted: whether to show it. On what is not a terminal it is not shown in any case.
    """

    def __init__(self, title: str, total: int | None, *, wanted: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(max_width=24, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (wanted and console.is_terminal),
            redirect_stdout=os.isatty(1),  # what nodes print into a pipe is not the bar's to move
        )
        self._task = self._progress.add_task(title, total=total)
        self._told = 0.0

    def advanced(self, epochs: int) -> None:
        """Show how many epochs there have been."""
        now = time.monotonic()
        if now - self._told >= _INTERVAL_S:
            self._told = now
            self._progress.update(self._task, completed=epochs)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()


class _Rate(ProgressColumn):
    """Epochs per second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{_round(task.speed)} epochs/s")


def summary(session: Session, runner: str, not_finite: int) -> str:
    """Say in one line what a run has done, how fast, and on which runner."""
    parts = [f"{session.ending}: {session.epochs:,} epochs, {session.results:,} results"]
    if session.epochs and session.seconds:
        per_second = session.epochs / session.seconds
        nodes = len(session.runner.tube.enabled_nodes)
        parts[0] += f" in {session.seconds:.3g} s"
        parts.append(f"{_round(per_second)} epochs/s, {_round(per_second * nodes)} nodes/s")
    workers = getattr(session.runner, "max_workers", None)
    native = getattr(session.runner, "native", None)
    told = [runner]
    if workers is not None:
        told.append(f"{workers:,} workers")
    if native is not None:
        told.append("native" if native else "not native")
    parts.append(", ".join(told))
    if not_finite:
        parts.append(f"{not_finite:,} numbers that are not finite were written as null")
    return "; ".join(parts)


def _round(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"  # noqa: PLR2004 (three digits at least)
