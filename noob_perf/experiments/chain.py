"""The question: what does a runner lose where there is nothing to share, on a chain?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import ratio, time_per_node
from noob_perf.experiments.laboratory import Asked, Question
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure


def _answer(lab: Laboratory) -> list[Figure]:
    workload = Workload("chain", nodes=1_000 if lab.quick else 10_000)
    runners = ("compiled", "multiprocess", "multiprocess-remote")
    compiled, *ours = lab.measure(*(Asked(runner, workload) for runner in runners))
    figures = [time_per_node("compiled: a node", compiled)]
    for cell in ours:
        figures += [
            time_per_node(f"{cell.label}: a node", cell, at_most=20e-6),
            ratio(f"{cell.label} over compiled", cell, compiled, at_most=1.3),
        ]
    return figures


CHAIN = Question("chain", "What does a chain cost, whose nodes do nothing?", _answer)
