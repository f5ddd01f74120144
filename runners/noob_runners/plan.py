"""A tube compiled once.

For each node: where its inputs come from and where its outputs go, as numbers of slots in the block
of an epoch's values, and whether calling it is all there is to it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from noob.node import Node, Return
from noob.node.base import _INJECTION_MAP, WrapClassNode, WrapFuncNode
from noob.utils import iscoroutinefunction_partial

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob import Tube
    from noob.edge import Edge

__all__ = ["Plan", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a plan."""

    node_id: str
    node: Node
    signals: tuple[str, ...]
    """The names of the node's signals, in the order of its values."""
    first: int
    """The slot of the first signal's value; those of the others follow it."""
    positional: tuple[int, ...]
    """The slots of the positional arguments."""
    keyword: tuple[tuple[str, int], ...]
    """The names and slots of the keyword arguments."""
    epoch_slot: str | None
    """The keyword by which the node asks for the epoch, if it does."""
    plain: bool
    """Whether calling the node with values is all there is to running it: it is synchronous and
    touches no asset, and wants no events."""
    ordered: bool
    """Whether its calls must be made in the order of epochs: it may remember what it has seen."""
    late: bool
    """Whether `call` is the node, whose `process` has to be looked up at each call because `init`
    replaces it; else `call` is what to call."""
    call: Any


class Plan:
    """The steps of a tube.

    Args:
        tube: the tube to compile. It is not changed, and nothing of it is started.
    """

    def __init__(self, tube: Tube) -> None:
        self.tube = tube
        self.steps: dict[str, Step] = {}
        self.returns: Return | None = None
        self.inputs: dict[str, int] = {}
        """The slots of the process-scoped inputs that plain nodes depend on."""
        self._calls: dict[int, _Call] = {}
        self._signals = {node_id: _signals(node) for node_id, node in tube.nodes.items()}
        first: dict[str, int] = {}
        size = 0
        for node_id, signals in self._signals.items():
            first[node_id] = size
            size += len(signals)
        for node in tube.nodes.values():
            for edge in _edges(node):
                if edge.source_node == "input" and edge.source_signal not in self.inputs:
                    self.inputs[edge.source_signal] = size
                    size += 1
        self.size = size
        """How many slots a block of this plan has."""
        self.near_assets = _downstream(
            tube, {it.target_node for it in tube.edges if it.source_node == "assets"}
        )
        """The nodes that an asset's object may come to, handed on by others."""
        for node_id, node in tube.nodes.items():
            if isinstance(node, Return):
                self.returns = node
            self.steps[node_id] = self._step(tube, node_id, node, first)

    def slot(self, node_id: str, signal: str) -> int | None:
        """The slot of a signal's value; None for one that the node does not declare."""
        step = self.steps.get(node_id)
        if step is None or signal not in step.signals:
            return None
        return step.first + step.signals.index(signal)

    def signal(self, node_id: str, slot: int) -> str:
        """The signal whose value a slot of a node holds."""
        step = self.steps[node_id]
        return step.signals[slot - step.first]

    def _step(self, tube: Tube, node_id: str, node: Node, first: dict[str, int]) -> Step:
        positional: list[tuple[int, int]] = []
        keyword: list[tuple[str, int]] = []
        inputs: list[tuple[str, int]] = []
        call = self._call(node)
        plain = not (
            isinstance(node, Return)
            or node_id in tube.state.dependencies
            or node.spec is None
            or call.is_special
            or call.injections.keys() - {"epoch"}
        )
        for edge in _edges(node) if plain else ():
            slot = self._source(edge, first)
            if slot is None:
                plain = False
                break
            target = edge.target_slot
            if isinstance(target, str):
                # As NOOB collects them: events first, then inputs.
                (inputs if edge.source_node == "input" else keyword).append((target, slot))
            else:
                positional.append((target or 0, slot))
        names = [name for name, _ in (*keyword, *inputs)]
        places = [at for at, _ in positional]
        if len({*names}) < len(names) or len({*places}) < len(places):
            plain = False  # which one counts depends on which are emitted
        return Step(
            node_id=node_id,
            node=node,
            signals=self._signals[node_id],
            first=first[node_id],
            positional=tuple(slot for _, slot in sorted(positional)),
            keyword=(*keyword, *inputs),
            epoch_slot=call.injections.get("epoch"),
            plain=plain,
            ordered=bool(node.stateful) or not call.is_stable,
            late=not call.is_stable,
            call=_stable_call(node) if call.is_stable else node,
        )

    def _source(self, edge: Edge, first: dict[str, int]) -> int | None:
        """The slot that a plain node reads for an edge; None if there is none."""
        if edge.source_node == "input":
            return self.inputs[edge.source_signal]
        signals = self._signals.get(edge.source_node, ())
        if edge.source_signal not in signals:
            return None
        return first[edge.source_node] + signals.index(edge.source_signal)

    def _call(self, node: Node) -> _Call:
        """What calling a node is like; of nodes of one function or class it is found out once."""
        wrapped: Any = None
        if isinstance(node, WrapFuncNode):
            wrapped = node.fn
        elif isinstance(node, WrapClassNode):
            wrapped = node.cls
        if wrapped is None:
            return _Call(node)
        call = self._calls.get(id(wrapped))
        if call is None:
            call = self._calls[id(wrapped)] = _Call(node)
        return call


class _Call:
    """What calling a node is like."""

    __slots__ = ("injections", "is_special", "is_stable")

    def __init__(self, node: Node) -> None:
        self.is_special = True
        """Whether there is more to it: it is a coroutine, its own `init` may change what it emits,
        or NOOB cannot tell what it takes and will say so."""
        self.is_stable = False
        """Whether what is called stays the same from `init` to `deinit` and beyond."""
        self.injections: dict[str, str] = {}
        """What is to be injected, and as which argument. (A generator is asked without any.)"""
        try:
            function = _function(node)
            is_generator = inspect.isgeneratorfunction(function)
            if not is_generator:
                self.injections = _injections(function)
        except (TypeError, ValueError):
            return
        wraps = isinstance(node, WrapClassNode | WrapFuncNode)
        self.is_special = iscoroutinefunction_partial(function) or not (
            wraps or type(node).init is Node.init
        )
        self.is_stable = isinstance(node, WrapFuncNode) and not is_generator


def _downstream(tube: Tube, nodes: set[str]) -> frozenset[str]:
    """All nodes that depend on some of these, at any distance."""
    found: set[str] = set()
    after: dict[str, list[str]] = {}
    for edge in tube.edges if nodes else ():
        after.setdefault(edge.source_node, []).append(edge.target_node)
    waiting = list(nodes)
    while waiting:
        new = set(after.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return frozenset(found)


def _function(node: Node) -> Callable[..., Any]:
    """What a node will call.

    NOOB remembers what it finds in `process` the first time it looks. Before `init` that is not yet
    what a wrapped class calls, so it must not be made to look.
    """
    if isinstance(node, WrapClassNode):
        method: Callable[..., Any] = getattr(node.cls, node._get_process_method(node.cls))  # noqa: SLF001 (NOOB's rule)
        return method
    return node.fn if isinstance(node, WrapFuncNode) else node.process


def _signals(node: Node) -> tuple[str, ...]:
    """The names of a node's signals; none where NOOB cannot tell, and will say so."""
    try:
        if isinstance(node, WrapClassNode | WrapFuncNode):
            return tuple(node.signals)
        return tuple(node.get_signals(node.spec))  # without making the node remember them
    except Exception:  # noqa: BLE001 (whatever it is, the node raises it again when it runs)
        return ()


def _stable_call(node: Node) -> Callable[..., Any]:
    """What a function's node calls, without the wrapping of one that has no parameters."""
    process = node.process
    if type(process) is partial and not process.args and not process.keywords:
        return process.func
    return process


def _injections(function: Callable[..., Any]) -> dict[str, str]:
    """What `Node.injections` finds."""
    parameters = inspect.signature(function).parameters.items()
    return {
        kind: name
        for kind, wanted in _INJECTION_MAP.items()
        for name, parameter in parameters
        if parameter.annotation is wanted
    }


def _edges(node: Node) -> list[Edge]:
    """The edges into a node."""
    return node.edges if node.spec is not None else []
