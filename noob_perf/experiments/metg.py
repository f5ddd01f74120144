"""The question: how short may tasks be before half of the workers' time is lost?

Task Bench's stencil, with tasks ever shorter by half: at each length all engines that still run are
measured beside each other, and one whose efficiency has fallen far enough below the threshold is
done. `noob_perf.stats.metg` says what METG is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import efficiencies, measured, why
from noob_perf.experiments.laboratory import Asked, Question
from noob_perf.results import Figure, Quantity
from noob_perf.stats import median_interval, metg_interval
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory

_LONGEST_S = {"multiprocess-remote": 2.56e-3, "dask": 10.24e-3, "ray": 10.24e-3}
"""The runners, and the length of tasks that each begins at: where it is efficient."""
_ASKED_S = {"multiprocess-remote": 150e-6}
_LENGTHS_S = tuple(10.24e-3 / 2**halved for halved in range(11))
_THRESHOLD = 0.5
_ENOUGH = 0.25
"""An efficiency below which shorter tasks tell nothing more of where the threshold is."""
_STEPS = 60


def _answer(lab: Laboratory) -> list[Figure]:
    width, steps = 16, 10 if lab.quick else _STEPS
    found: dict[str, dict[float, list[float]]] = {runner: {} for runner in _LONGEST_S}
    ended: dict[str, str] = {}
    for length in _LENGTHS_S:
        running = [r for r, longest in _LONGEST_S.items() if length <= longest and r not in ended]
        if not running:
            continue
        workload = Workload(
            "stencil_1d", nodes=width * steps, width=width, kernel="busy", duration=length
        )
        cells = lab.measure(
            *(Asked(runner, workload, f"{runner}, {length * 1e6:g} µs") for runner in running)
        )
        for runner, cell in zip(running, cells, strict=True):
            if not measured(cell):
                ended[runner] = why(cell)
                continue
            found[runner][length] = efficiencies(cell)
            if median_interval(found[runner][length]).value < _ENOUGH:
                ended[runner] = ""
    return [_figure(runner, found[runner], ended.get(runner, "")) for runner in _LONGEST_S]


def _figure(runner: str, found: dict[float, list[float]], reason: str) -> Figure:
    estimate = metg_interval(found, _THRESHOLD)
    if estimate is None and not reason:
        reason = (
            f"the efficiency does not fall through {_THRESHOLD:.0%} between tasks of "
            f"{max(found) * 1e6:g} and {min(found) * 1e6:g} µs"
        )
    return Figure(
        f"{runner}: METG({_THRESHOLD:.0%}), work a task",
        Quantity.SECONDS,
        estimate,
        "" if estimate else reason,
        at_most=_ASKED_S.get(runner),
    )


METG = Question(
    "metg",
    "How short may tasks be before half of the workers' time is lost? (stencil_1d, width 16)",
    _answer,
)
