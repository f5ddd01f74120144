"""The question: what does FastScheduler take for a node, beside what else sorts a graph?

Layers of 100 nodes with two inputs each. An implementation is told of whole generations where it
can be, and says which nodes are ready after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Question
from noob_perf.experiments.components.core import CORE, DECISIONS, INSTRUCTIONS, measure_core
from noob_perf.experiments.components.entries import ours, peer
from noob_perf.experiments.components.figures import absolute, times
from noob_perf.measure.subject import Case
from noob_perf.measure.subjects.schedulers import ARRAYS, EPOCH
from noob_perf.results import Quantity

if TYPE_CHECKING:
    from noob_perf.experiments.components.bench import Bench, Findings
    from noob_perf.results import Target

GRAPH = "graph"
NOOB_CORE, RUSTWORKX, UNCHECKED = "noob_core", "rustworkx", "rustworkx, unchecked"
NOOB_CORE_NODES = 1_000
"""Up to which noob_core is measured."""
_SUBJECTS = "schedulers"
_NOOB_CORE = peer(
    NOOB_CORE,
    f"{_SUBJECTS}:NoobCore",
    max_size=NOOB_CORE_NODES,
    limit="its construction is quadratic",
)
_ENTRIES = (
    *ours(_SUBJECTS),
    _NOOB_CORE,
    peer("graphlib", f"{_SUBJECTS}:Graphlib"),
    peer(RUSTWORKX, f"{_SUBJECTS}:Rustworkx", "rustworkx"),
    peer(UNCHECKED, f"{_SUBJECTS}:RustworkxUnchecked", "rustworkx"),
    peer("networkx", f"{_SUBJECTS}:Networkx", "networkx"),
)


def _measure(bench: Bench) -> None:
    for nodes in bench.scale.small_graphs:
        bench.measure(Case(GRAPH, nodes), [_NOOB_CORE])
    for nodes in bench.scale.graphs:
        bench.measure(Case(GRAPH, nodes), _ENTRIES)
    measure_core(bench, GRAPH, bench.scale.graphs)


def _targets(found: Findings) -> list[Target]:
    targets = []
    for nodes in found.scale.graphs[-2:]:
        for way, operation, peer_name, checks in (
            (ARRAYS, ARRAYS, RUSTWORKX, "with its checks"),
            (ARRAYS, ARRAYS, UNCHECKED, "without its checks"),
            (f"{EPOCH}, as lists of events", EPOCH, RUSTWORKX, "with its checks"),
        ):
            targets.append(
                times(
                    f"{way}, {nodes:,} nodes: times faster than rustworkx {checks}",
                    found.find(peer_name, EPOCH, GRAPH, nodes),
                    found.find(NATIVE, operation, GRAPH, nodes),
                    per=nodes, at_least=1.0,
                )
            )  # fmt: skip
    nodes = found.scale.graphs[-2]
    decisions = found.find(CORE, DECISIONS, GRAPH, nodes)
    return [
        *targets,
        absolute(f"a decision inside Rust, {nodes:,} nodes", decisions, per=nodes, at_most=100e-9),
        absolute("the same, instructions", found.find(CORE, INSTRUCTIONS, GRAPH, nodes), per=nodes),
    ]


SCHEDULER = Question(
    "scheduler",
    "What does FastScheduler take for a node?",
    "node",
    _measure,
    _targets,
    {INSTRUCTIONS: Quantity.COUNT},
)
