"""A workload put together: the calls that make an epoch, as a NOOB tube or as a plain loop."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from noob_workloads.kernels import KERNELS, epochs, noop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noob_workloads.graph import Graph
    from noob_workloads.workload import Workload

FOLD_FAN_IN = 16
"""Inputs of a fold. NOOB takes time quadratic in a node's inputs: one fold of all outputs would
be measured in place of the nodes."""

_Call = tuple[str, "Callable[..., Any]", dict[str, Any], tuple[int, ...]]
"""An identifier, a function, its keyword arguments, and the calls whose values it takes."""


@dataclass(frozen=True, slots=True)
class Program:
    """An epoch as a plain loop: the limit that no runner in Python can go below.

    Attributes:
        functions: One call each, in dependency order: the source, the nodes, the folds. All but
            the source are `functools.partial`s of a function that can be imported.
        predecessors: For each call the calls whose values it takes, by position.
    """

    functions: list[Callable[..., Any]]
    predecessors: list[tuple[int, ...]]

    def run(self) -> dict[str, int]:
        """Run the next epoch, the first one being 0, and return what the tube returns."""
        values: list[Any] = []
        add = values.append
        for function, predecessors in zip(self.functions, self.predecessors, strict=True):
            add(function(*[values[source] for source in predecessors]))
        return {"digest": values[-1]}


def rows(graph: Graph) -> list[tuple[int, ...]]:
    """Positions of the predecessors of every call but the source, which has position 0.

    A node has position 1 + its number, and depends on the source if it has no predecessors.
    Then come the folds, at least one, of which the last is the root.
    """
    flat = (graph.indices + 1).tolist()
    result = [tuple(flat[low:high]) or (0,) for low, high in pairwise(graph.indptr.tolist())]
    level = (graph.sinks() + 1).tolist()
    while True:
        groups = [tuple(level[i : i + FOLD_FAN_IN]) for i in range(0, len(level), FOLD_FAN_IN)]
        level = list(range(len(result) + 1, len(result) + 1 + len(groups)))
        result += groups
        if len(groups) == 1:
            return result


def to_spec(workload: Workload) -> dict[str, Any]:
    """See `Workload.to_spec`."""
    graph = workload.graph()
    nodes: dict[str, dict[str, Any]] = {"src": {"type": _type_of(epochs)}}
    signals = ["src.value"]
    types: dict[Any, str] = {}
    for name, function, params, predecessors in _calls(workload, graph):
        if function not in types:
            types[function] = _type_of(function)
        nodes[name] = {
            "type": types[function],
            "params": params,
            "depends": [signals[source] for source in predecessors],
        }
        signals.append(f"{name}.value")
    nodes["ret"] = {"type": "return", "depends": [{"digest": signals[-1]}]}
    return {
        "noob_id": f"{workload.pattern}-{workload.kernel}-{graph.nodes}",
        "noob_model": "noob.tube.TubeSpecification",
        "noob_version": version("noob"),
        "nodes": nodes,
    }


def to_yaml(spec: dict[str, Any]) -> str:
    """Write a specification as YAML: block style with a line a node, which is JSON."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in spec.items() if key != "nodes"]
    lines.append("nodes:")
    lines += [f"  {name}: {json.dumps(node)}" for name, node in spec["nodes"].items()]
    return "\n".join(lines) + "\n"


def to_program(workload: Workload) -> Program:
    """See `Workload.program`."""
    functions: list[Callable[..., Any]] = [epochs().__next__]
    predecessors: list[tuple[int, ...]] = [()]
    for _, function, params, sources in _calls(workload, workload.graph()):
        functions.append(functools.partial(function, **params))
        predecessors.append(sources)
    return Program(functions, predecessors)


def _calls(workload: Workload, graph: Graph) -> Iterator[_Call]:
    """Every call but the source: the nodes with their work, then the folds."""
    kernel = KERNELS[workload.kernel]
    amounts = [] if kernel.amount is None else kernel.amounts(workload.durations())
    for node, predecessors in enumerate(rows(graph)):
        params: dict[str, Any] = {"node": node}
        if node >= graph.nodes:
            yield f"f{node - graph.nodes}", noop, params, predecessors
            continue
        if kernel.amount is not None:
            params[kernel.amount] = amounts[node]
        if kernel.sized:
            params["output_bytes"] = workload.output_bytes
        yield f"n{node}", kernel.function, params, predecessors


def _type_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
