"""NOOB's tube, loaded and looked up in time linear in nodes and edges.

`noob.Tube` takes the square of the nodes in three places: its scheduler walks everything downstream
of every edge, its check of maps walks everything downstream of every node, and each look-up of a
node's edges scans them all. Here the first is FastScheduler, the second one pass, the third a
dictionary. Everything else is NOOB's own code.
"""

from __future__ import annotations

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Self

from noob import Tube
from noob.node import Node
from noob.node.base import WrapClassNode, WrapFuncNode
from noob.node.map import Map
from pydantic import ConfigDict, PrivateAttr, ValidationInfo, field_validator, model_validator

from noob_runners.collector import collector_paused
from noob_runners.errors import UnknownSignalError
from noob_runners.scheduler import IndexedScheduler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from noob.edge import Edge, Signal
    from noob.input import InputCollection
    from noob.node import NodeSpecification
    from noob.scheduler import Scheduler
    from noob.tube import TubeSpecification
    from noob.types import ConfigSource

__all__ = ["IndexedTube"]


class _EdgeIndex:
    """A tube's edges by target and by source."""

    def __init__(self, edges: list[Edge]) -> None:
        self.edges = edges
        self.count = len(edges)
        self.into: defaultdict[str, list[Edge]] = defaultdict(list)
        self.out_of: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            self.into[edge.target_node].append(edge)
            self.out_of[edge.source_node].append(edge)

    def is_of(self, edges: list[Edge]) -> bool:
        """Whether it still speaks of these edges."""
        return self.edges is edges and self.count == len(edges)


class IndexedTube(Tube):
    """A NOOB `Tube` that loads, and finds edges, in linear time.

    It accepts and refuses what `Tube` does, with the same errors, but for one: a dependency on a
    signal that its source cannot emit is refused here, where `Tube` accepts it and
    SynchronousRunner then waits for it for ever. Messages name the culprit also where NOOB's do not
    (a cycle).
    """

    model_config = ConfigDict(title="Tube", arbitrary_types_allowed=True)

    _index: _EdgeIndex | None = PrivateAttr(default=None)

    @classmethod
    def from_specification(
        cls,
        spec: TubeSpecification | ConfigSource | dict[str, Any],
        input: dict[str, Any] | None = None,  # noqa: A002 (NOOB's name for it)
    ) -> Self:
        """Load a tube.

        Args:
            spec: the specification, its dictionary, or where NOOB finds its file.
            input: tube-scoped inputs by name.

        Raises:
            InputMissingError: a required tube-scoped input is not given.
            UnknownSignalError: a node depends on a signal that its source cannot emit.
            pydantic.ValidationError: the specification is not that of a tube.
        """
        with collector_paused():
            return super().from_specification(spec, input)

    def in_edges(self, node: Node | str) -> list[Edge]:
        """Edges towards a node, or the node of that id."""
        return list(self._edge_index().into.get(_id(node), ()))

    def out_edges(self, node: Node | str) -> list[Edge]:
        """Edges away from a node, or the node of that id."""
        return list(self._edge_index().out_of.get(_id(node), ()))

    def _edge_index(self) -> _EdgeIndex:
        index = self._index  # once: pydantic's look-up of it takes longer than ours of the edges
        if index is None or not index.is_of(self.edges):
            with collector_paused():
                index = self._index = _EdgeIndex(self.edges)
        return index

    @classmethod
    def _init_nodes(
        cls, specs: TubeSpecification, input_collection: InputCollection
    ) -> dict[str, Node]:
        nodes = super()._init_nodes(specs, input_collection)
        _share_signals(nodes.values())
        return nodes

    @classmethod
    def _init_edges(cls, nodes: dict[str, Node]) -> list[Edge]:
        edges = super()._init_edges(nodes)
        for edge in edges:
            _check_signal(edge, nodes)
        return edges

    @classmethod
    def _init_scheduler(
        cls, specs: dict[str, NodeSpecification], nodes: dict[str, Node], edges: list[Edge]
    ) -> Scheduler:
        # As Tube does: the scheduler's specifications are copies that know which nodes are enabled.
        own = {id_: spec.model_copy() for id_, spec in specs.items()}
        for id_, node in nodes.items():
            if id_ in own:
                own[id_].enabled = node.enabled
        return IndexedScheduler.from_specification(own, edges)

    @field_validator("scheduler", mode="before")
    @classmethod
    def _create_scheduler(cls, value: Scheduler | None, info: ValidationInfo) -> Scheduler:
        if value is None:
            if not info.data.get("spec"):
                raise ValueError("Must pass a tube specification or instantiate scheduler manually")
            value = cls._init_scheduler(
                info.data["spec"].nodes, info.data["nodes"], info.data["edges"]
            )
        if value.has_cycle():
            raise AssertionError(_describe_cycle(value))
        return value

    @model_validator(mode="after")
    def no_cross_map_dependencies(self) -> Self:
        """A node can be downstream of one chain of map operations only."""
        if not _maps_form_chains(self.nodes, self.edges):
            # NOOB's own check words the error.
            return super().no_cross_map_dependencies()  # type: ignore[operator, no-any-return] # pydantic hides the function behind its decorator
        return self


def _id(node: Node | str) -> str:
    return node.id if isinstance(node, Node) else node


def _share_signals(nodes: Iterable[Node]) -> None:
    """Give nodes of one function or class one dictionary of signals: they follow from it alone."""
    known: dict[int, dict[str, Signal]] = {}
    for node in nodes:
        if isinstance(node, WrapFuncNode):
            wrapped: Any = node.fn
        elif isinstance(node, WrapClassNode):
            wrapped = node.cls
        else:
            continue
        signals = known.get(id(wrapped))  # what compares equal need not emit the same
        if signals is None:
            try:
                signals = known[id(wrapped)] = node.signals
            except (TypeError, ValueError):  # NOOB says so when the node is called
                continue
        node.__dict__["signals"] = signals


def _check_signal(edge: Edge, nodes: dict[str, Node]) -> None:
    source, target = nodes.get(edge.source_node), nodes.get(edge.target_node)
    if not isinstance(source, WrapFuncNode | WrapClassNode):
        return  # a node of the user's own can emit what it does not declare
    signals = source.__dict__.get("signals", {edge.source_signal: None})
    if any("Event" in str(signal.annotation) for signal in signals.values() if signal):
        return  # and so can a function that makes the events itself
    if (
        edge.source_signal not in signals
        and source.enabled
        and target is not None
        and target.enabled
    ):
        emits = ", ".join(signals)
        raise UnknownSignalError(
            f"Node {edge.target_node} depends on {edge.source_node}.{edge.source_signal}, but "
            f"{edge.source_node} emits no signal of that name; it emits: {emits}"
        )


def _describe_cycle(scheduler: Scheduler) -> str:
    order: TopologicalSorter[str] = TopologicalSorter()
    for edge in scheduler.edges:
        target = scheduler.nodes.get(edge.target_node)
        if target is None or target.enabled:
            order.add(edge.target_node, edge.source_node)
    try:
        order.prepare()
    except CycleError as error:
        return f"Nodes depend on each other in a cycle: {' -> '.join(error.args[1])}"
    return "Nodes depend on each other in a cycle"


def _maps_form_chains(nodes: dict[str, Node], edges: list[Edge]) -> bool:
    """Whether the maps above every node form a chain, each downstream of the one before.

    One pass in dependency order. A node is described by the lowest map above it; the maps above
    that one are a chain already, so chains are linked lists, and joining two asks whether one is
    the beginning of the other.
    """
    if not any(isinstance(node, Map) for node in nodes.values()):
        return True
    order: TopologicalSorter[str] = TopologicalSorter()
    for edge in edges:
        order.add(edge.target_node, edge.source_node)
    above: dict[str, str | None] = {}  # node -> the lowest map above it
    depth: dict[str | None, int] = {None: 0}  # map -> the length of the chain that it ends
    before: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges:
        before[edge.target_node].append(edge.source_node)
    try:
        ordered = list(order.static_order())
    except CycleError:  # through a disabled node: left to NOOB's own check
        return False
    for node_id in ordered:
        lowest: str | None = None
        for source in before[node_id]:
            candidate = source if isinstance(nodes.get(source), Map) else above[source]
            upper, lower = sorted((lowest, candidate), key=lambda map_: depth[map_])
            climbed = lower
            while depth[climbed] > depth[upper]:
                climbed = above[climbed]  # type: ignore[index] # None has depth 0, so is never climbed from
            if climbed != upper:
                return False
            lowest = lower
        above[node_id] = lowest
        if isinstance(nodes.get(node_id), Map):
            depth[node_id] = depth[lowest] + 1
    return True
