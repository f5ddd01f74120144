"""The question: what does it cost to hand an array of 8 MiB from node to node?

A node writes its array, and that takes time on any runner; what a runner adds is the difference to
CompiledRunner, where an array is handed on by reference. Beside it stands the plain loop with every
array pickled in band, less the plain loop without. A runner may send a chain as one piece, so a
stencil of width 2, whose every array has two readers, is measured as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.figures import difference_per_node, memory_growth, time_per_node
from noob_perf.experiments.laboratory import Asked, Question
from noob_perf.registry import RunnerEntry
from noob_workloads import Workload

if TYPE_CHECKING:
    from noob_perf.experiments.laboratory import Laboratory
    from noob_perf.results import Figure

_PICKLED = RunnerEntry(
    "pickled", "noob_perf.measure.harness:Pickled", "the plain loop, every value pickled in band"
)
_REMOTE = "multiprocess-remote"
_WARM_EPOCHS = 3
"""Before memory is looked at: the first epochs fill pools."""


def _answer(lab: Laboratory) -> list[Figure]:
    nodes, repeats = (10, 6) if lab.quick else (100, 12)

    def workload(pattern: str) -> Workload:
        return Workload(pattern, nodes, width=2, kernel="payload", output_bytes=8 * 2**20)

    def asked(runner: str | RunnerEntry, pattern: str = "chain", label: str = "") -> Asked:
        weighed = runner == _REMOTE
        return Asked(runner, workload(pattern), label, repeats=repeats, weighed=weighed)

    loop, pickled, compiled, remote = lab.measure(
        asked("loop"), asked(_PICKLED), asked("compiled"), asked(_REMOTE)
    )
    compiled_stencil, remote_stencil = lab.measure(
        asked("compiled", "stencil_1d", "compiled, stencil"),
        asked(_REMOTE, "stencil_1d", f"{_REMOTE}, stencil"),
    )
    return [
        time_per_node("compiled: a hop, its node included", compiled),
        time_per_node(f"{_REMOTE}: a hop, its node included", remote),
        difference_per_node(f"{_REMOTE} less compiled: a hop", remote, compiled, at_most=1e-3),
        difference_per_node("pickled in band less plain loop: a hop", pickled, loop),
        time_per_node("compiled, stencil: a node", compiled_stencil),
        time_per_node(f"{_REMOTE}, stencil: a node", remote_stencil),
        difference_per_node(
            f"{_REMOTE} less compiled, stencil: a node",
            remote_stencil,
            compiled_stencil,
            at_most=1e-3,
        ),
        *memory_growth(_REMOTE, remote, after=_WARM_EPOCHS),
        *memory_growth(f"{_REMOTE}, stencil", remote_stencil, after=_WARM_EPOCHS),
    ]


PAYLOAD = Question("payload", "What does a hop of 8 MiB cost, from node to node?", _answer)
