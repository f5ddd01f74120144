"""Which of the ready nodes goes first where the critical path decides."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

from noob_core.exceptions import NotAddedError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from noob_runners.components.graph_py import Graph


def checked_costs(
    priority: str, costs: Mapping[str, float] | None, known: Container[str]
) -> Mapping[str, float] | None:
    """The seconds that nodes take; None where the usual order decides.

    Raises:
        ValueError: if `priority` is none of the two, or has no use for costs, or if a cost is not a
            finite number of seconds, 0 or more.
        NotAddedError: if a cost is of a node that is not `known`.
    """
    if priority not in ("order", "critical_path"):
        raise ValueError(f"priority is 'order' or 'critical_path', not {priority!r}")
    if priority == "order":
        if costs is not None:
            raise ValueError(
                "costs are for priority 'critical_path'; 'order' does not ask for them"
            )
        return None
    for name, cost in (costs or {}).items():
        if name not in known:
            raise NotAddedError(f"costs has {name!r}, which is no node of the graph")
        if not (isfinite(cost) and cost >= 0):
            raise ValueError(
                f"costs[{name!r}] is {cost}, not a finite number of seconds, 0 or more"
            )
    return dict(costs or {})


def upward_ranks(graph: Graph, costs: Mapping[str, float]) -> list[float]:
    """How far each item is from the end, in seconds, its own included.

    The upward rank of Topcuoglu, Hariri and Wu (2002), "Performance-effective and low-complexity
    task scheduling for heterogeneous computing", equation 4, without what it takes to move data:
    `rank(i) = cost(i) + max(rank(j) for j in successors(i))`. A node that has no cost takes a
    second, a signal nothing. What lies on a cycle, or leads to one, is infinitely far.
    """
    left = [len(successors) for successors in graph.successors]
    last = [item for item, count in enumerate(left) if not count]
    highest = [0.0] * len(left)
    ranks = [inf] * len(left)
    for item in last:
        node = graph.items[item]
        cost = costs.get(node, 1.0) if isinstance(node, str) else 0.0
        rank = ranks[item] = highest[item] + cost
        for before in graph.predecessors[item]:
            highest[before] = max(highest[before], rank)
            left[before] -= 1
            if not left[before]:
                last.append(before)  # the loop goes on to what it appends
    return ranks
