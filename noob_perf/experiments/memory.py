"""The question: does memory stay flat over many epochs?

Flat is: from epoch 100 on, a line through the samples rises by less than 1 % of what is held, or
than 1 MiB if that is more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import memory_growth
from noob_perf.experiments.laboratory import Asked, Question
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure

_EPOCHS_A_SAMPLE = 10


def _answer(lab: Laboratory) -> list[Figure]:
    workload = Workload(nodes=100 if lab.quick else 1_000)
    epochs, after = (60, 20) if lab.quick else (1_000, 100)
    cells = lab.measure(
        *(
            Asked(
                runner,
                workload,
                epochs=_EPOCHS_A_SAMPLE,
                repeats=epochs // _EPOCHS_A_SAMPLE - 1,  # the warm-up is the first of them
                weighed=True,
            )
            for runner in ("multiprocess", "multiprocess-remote")
        )
    )
    return [figure for cell in cells for figure in memory_growth(cell.label, cell, after=after)]


MEMORY = Question("memory", "Does memory stay flat over 1,000 epochs of 1,000 nodes?", _answer)
