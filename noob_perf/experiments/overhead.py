"""The question: what does a runner add to a task that does nothing?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import ratio, time_per_node
from noob_perf.experiments.laboratory import Asked, Question
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure


def _answer(lab: Laboratory) -> list[Figure]:
    workload = Workload(nodes=1_000 if lab.quick else 10_000, width=100, fan_in=2)
    runners = ("sync-indexed", "compiled", "multiprocess", "multiprocess-remote")
    indexed, compiled, adaptive, remote = lab.measure(*(Asked(r, workload) for r in runners))
    return [
        time_per_node("sync-indexed: a task", indexed),
        time_per_node("compiled: a task", compiled),
        time_per_node("multiprocess: a task", adaptive),
        time_per_node("multiprocess-remote: a task", remote, at_most=20e-6),
        ratio("multiprocess over compiled", adaptive, compiled, at_most=1.3),
    ]


OVERHEAD = Question(
    "overhead", "What does a task that does nothing cost, in a layered graph?", _answer
)
