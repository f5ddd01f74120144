"""The graphs of one scheduler: the whole, and the part below a node that opens sub-epochs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from noob_runners.components.graph_py import Edge, Flags, Graph

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence


class Templates:
    """The graphs of one scheduler, each built when it is first needed and then kept."""

    def __init__(self, nodes: Mapping[str, Flags], edges: Sequence[Edge]) -> None:
        """Build the whole graph of `nodes` and `edges`."""
        self._nodes = dict(nodes)
        self._edges = edges
        self._whole: Graph | None = Graph(self._nodes, edges)
        self._below: dict[str, Graph] = {}
        self._downstream: dict[str, list[str]] = {}
        self._exclusive: dict[tuple[str, str], list[str]] = {}
        self._disabled_any = False

    @property
    def whole(self) -> Graph:
        """The graph of a new root epoch."""
        if self._whole is None:
            self._whole = Graph(self._nodes, self._edges)
        return self._whole

    @property
    def exhausted(self) -> bool:
        """Whether disabling nodes has left nothing to run (never before the first `disable`)."""
        return self._disabled_any and self.whole.exhausted

    def disable(self, node: str) -> None:
        """Leave `node` out of the epochs to come. Parts below a node already built keep it."""
        self._disabled_any = True
        enabled, stateful = self._nodes.get(node, (True, False))
        if enabled:
            self._nodes[node] = (False, stateful)
            self._whole = None  # rebuilt once, when it is next needed, after any number of these

    def below(self, node: str) -> Graph:
        """The graph of a sub-epoch that `node` opens: it and everything downstream of it."""
        graph = self._below.get(node)
        if graph is None:
            downstream = dict.fromkeys(self._reach(node, ()))
            graph = self._below[node] = Graph(
                {name: self._nodes[name] for name in downstream if name in self._nodes},
                [edge for edge in self._edges if edge[2] in downstream],
            )
        return graph

    def exclusive(self, node: str, leaf: str) -> list[str]:
        """The nodes downstream of `node`, and not of `leaf` by a way that avoids `node`."""
        exclusive = self._exclusive.get((node, leaf))
        if exclusive is None:
            downstream = self._downstream.get(node)
            if downstream is None:
                downstream = self._downstream[node] = self._reach(node, ())
            shared = {node, *self._reach(leaf, (node,))}
            exclusive = [name for name in downstream if name not in shared]
            self._exclusive[node, leaf] = exclusive
        return exclusive

    @cached_property
    def _targets(self) -> dict[str, list[str]]:
        targets: dict[str, list[str]] = {}
        for source, _, target, _, _ in self._edges:
            targets.setdefault(source, []).append(target)
        return targets

    def _reach(self, node: str, without: Container[str]) -> list[str]:
        """`node` and the nodes downstream of it, in the order of discovery, depth first."""
        found = {node: None}
        stack = [node]
        while stack:
            for target in self._targets.get(stack.pop(), ()):
                if target not in found and target not in without:
                    found[target] = None
                    stack.append(target)
        return list(found)
