"""Several trials measured beside each other: all are warmed up, then they repeat in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from noob_perf.measure.schedule import interleave

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noob_perf.measure.trial import Trial
    from noob_perf.results import Outcome


class Observer(Protocol):
    """Who is told how far the measurement is."""

    def stage(self, text: str) -> None:
        """Something else is being done."""

    def planned(self, steps: int) -> None:
        """So many repeats are to come, and none of them is done."""

    def advance(self, text: str) -> None:
        """A repeat of that name is done."""

    def ended(self, runner: str, outcome: Outcome, reason: str) -> None:
        """A cell ended before its time."""


def take_turns(trials: Sequence[Trial], observer: Observer) -> None:
    """Measure the trials; none of them has a process any more when it returns or raises."""
    try:
        _warm_up(trials, observer)
        _repeat([trial for trial in trials if trial.live], observer)
    finally:
        for trial in trials:
            trial.kill()


def _warm_up(trials: Sequence[Trial], observer: Observer) -> None:
    for trial in trials:
        observer.stage(f"{trial.runner}: loading {trial.nodes:,} nodes, then a warm-up")
        trial.warm_up()
        if not trial.live:
            observer.ended(trial.runner, trial.outcome, trial.reason)


def _repeat(trials: Sequence[Trial], observer: Observer) -> None:
    live = {str(at): trial for at, trial in enumerate(trials)}
    order = interleave({key: trial.repeats for key, trial in live.items()})
    observer.planned(len(order))
    for key in order:
        trial = live[key]
        if trial.live:
            observer.stage(f"{trial.runner}: repeat {len(trial.epoch_s) + 1}")
            trial.repeat()
            if not trial.live:
                observer.ended(trial.runner, trial.outcome, trial.reason)
        observer.advance(trial.runner)
    observer.stage("stopping the runners")
    for trial in trials:
        trial.stop()
