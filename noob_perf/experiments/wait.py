"""The question: how much faster is a graph whose nodes wait, on many workers?

The reference is SynchronousRunner as NOOB's users have it, with NOOB's own look-up of edges. An
epoch of it takes more than a minute, so one epoch, without a warm-up, has to do. A speedup above
the number of workers comes from what the reference does besides waiting; its share is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import ratio, share_of_ideal, time_per_node
from noob_perf.experiments.laboratory import Asked, Question
from noob_perf.registry import BASELINE
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure

_WORKERS = 16
"""However few processors there are: waiting needs none."""


def _answer(lab: Laboratory) -> list[Figure]:
    workload = Workload(
        nodes=640 if lab.quick else 10_000, width=640, kernel="wait", duration=7.2e-3
    )
    sync, ours = lab.measure(
        Asked(BASELINE, workload, cold=True), Asked("multiprocess", workload, workers=_WORKERS)
    )
    return [
        time_per_node(f"{BASELINE}: a node", sync),
        time_per_node("multiprocess: a node", ours),
        ratio(f"{BASELINE} over multiprocess", sync, ours, at_least=15.0),
        share_of_ideal(f"{BASELINE}: waiting, of its time", sync),
        share_of_ideal("multiprocess: waiting, of the workers' time", ours),
    ]


WAIT = Question(
    "wait",
    f"How much faster than SynchronousRunner are nodes that wait 7.2 ms, on {_WORKERS} workers?",
    _answer,
)
