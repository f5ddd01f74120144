"""The question: which share of the workers' time goes into tasks of a millisecond?

The kernel ``busy`` spins until its thread has had the CPU time asked for. So the work is known
exactly, and the ideal is the sum of it over the number of workers: no engine can come closer than
the machine lets that many threads run at once. The plain loop on one core shows how much of an
efficiency below 1 is the machine's doing and the kernel's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import share_of_ideal
from noob_perf.experiments.laboratory import Asked, Question
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure

_ASKED = {
    "loop": None,
    "multiprocess": 0.93,
    "multiprocess-remote": 0.93,
    "dask": None,
    "ray": None,
}
"""The runners, and the efficiency that is asked of them."""


def _answer(lab: Laboratory) -> list[Figure]:
    workload = Workload(nodes=200 if lab.quick else 2_000, kernel="busy", duration=1e-3)
    cells = lab.measure(*(Asked(runner, workload) for runner in _ASKED))
    return [
        share_of_ideal(cell.label, cell, at_least=least)
        for cell, least in zip(cells, _ASKED.values(), strict=True)
    ]


EFFICIENCY = Question(
    "efficiency",
    "Which share of the workers' time goes into tasks of 1 ms of CPU time each?",
    _answer,
)
