"""How far the suite is: a live bar in a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from noob_perf.results import Outcome

_LINES = 10
"""Into how many lines the repeats are gathered where there is no terminal."""


class ProgressReport:
    """The observer of a measurement that shows it to whoever waits.

    The bar is drawn twice a second and no more: what is being measured runs on the same machine.
    """

    def __init__(self, console: Console) -> None:
        """Show on that console."""
        self._console = console
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=2,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._steps = self._done = 0

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear what was shown live."""
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Show what is being done."""
        self._bar.update(self._task, description=text)
        if not self._live and (not self._steps or self._done >= self._steps):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def planned(self, steps: int) -> None:
        """Show how many repeats are to come."""
        self._steps, self._done = steps, 0
        self._bar.update(self._task, total=steps, completed=0)

    def advance(self, text: str) -> None:
        """Show that a repeat is done."""
        self._done += 1
        self._bar.advance(self._task)
        share = self._steps / _LINES
        if not self._live and int(self._done / share) > int((self._done - 1) / share):
            self._console.print(
                f"{self._done} of {self._steps} repeats, last {text}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def ended(self, runner: str, outcome: Outcome, reason: str) -> None:
        """Show that a cell ended before its time, and why."""
        self._console.print(
            f"{runner}: {outcome}: {reason}", markup=False, highlight=False, soft_wrap=True
        )
