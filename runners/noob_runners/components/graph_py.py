"""The immutable graph of nodes and signals that every epoch of a `FastScheduler` shares.

A graph is built once, in one pass over nodes and edges, and numbers its items (nodes and signals)
densely in the order in which NOOB's scheduler first meets them; an epoch (`sorter_py`) adds only a
list of counts and a row of flags. A node is followed by its own signals alone, a signal by the
nodes that take it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from noob_runners.components.optionals_py import Optionals
from noob_runners.components.priority_py import upward_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from noob_core._types import NodeRec

Item: TypeAlias = str | tuple[str, str]
"""A node's name, or a signal as (node, signal)."""

Edge: TypeAlias = tuple[str, str, str, str, bool]
"""Source node, source signal, target node, target slot, required."""

Flags: TypeAlias = tuple[bool, bool]
"""Of a node: enabled, stateful."""

PREVIOUS_EPOCH = ("meta", "previous_epoch")
"""The signal that every stateful node waits for: its own previous epoch is complete."""

META_NODES = frozenset({"meta", "tube", "input", "assets"})
"""Nodes of the graph that nothing runs: a graph that can start these alone is exhausted."""

DONE, OUT, READY, RAN, SIGNAL, RECORDED = 1, 2, 4, 8, 16, 32
"""The flags of an item in an epoch. `RECORDED` marks an item that is not of the epoch's graph but
has an entry in its `info` all the same (see `Sorter.expire`)."""


class Graph:
    """Nodes, signals and what waits for what.

    Attributes:
        items: every node and signal of the graph, by index.
        index: the index of each.
        successors: for each item, the indices of what waits for it, in order.
        remaining: for each item, the number of items that it waits for.
        flags: for each item, `READY` or not, and `SIGNAL` or not.
        ready: what can start at once, in the order in which NOOB's scheduler would list it.
        disabled: the names of the disabled nodes; edges into them are left out.
    """

    def __init__(self, nodes: Mapping[str, Flags], edges: Sequence[Edge]) -> None:
        """Build the graph of `nodes` (name to flags) and `edges`, in time linear in both."""
        self.items: list[Item] = []
        self.index: dict[Item, int] = {}
        self.successors: list[list[int]] = []
        self.remaining: list[int] = []
        self.flags = bytearray()
        self.disabled = frozenset(name for name, (enabled, _) in nodes.items() if not enabled)
        self._edges = edges
        self._ranks: list[float] | None = None
        ready = _Ready()
        self._add_edges(edges, ready)
        self._add_nodes(nodes, ready)
        self.ready = ready.items
        for item in self.ready:
            self.flags[item] |= READY

    def _add_item(self, item: Item, waits_for: int, flags: int) -> int:
        number = self.index[item] = len(self.items)
        self.items.append(item)
        self.successors.append([])
        self.remaining.append(waits_for)
        self.flags.append(flags)
        return number

    def _add_edges(self, edges: Sequence[Edge], ready: _Ready) -> None:
        index, successors, remaining = self.index, self.successors, self.remaining
        disabled, position = self.disabled, ready.position
        joined: set[tuple[int, int]] = set()
        self._has_optional = False
        for source, name, target, _, required in edges:
            if target in disabled:
                continue
            if not required:
                self._has_optional = True
            signal = index.get((source, name))
            if signal is None:
                signal = self._add_signal((source, name), ready)
            node = index.get(target)
            if node is None:
                node = self._add_item(target, 0, 0)
            pair = (signal, node)
            if pair not in joined:
                joined.add(pair)
                successors[signal].append(node)
                remaining[node] += 1
                if node in position:
                    ready.discard(node)

    def _add_signal(self, key: tuple[str, str], ready: _Ready) -> int:
        if key == PREVIOUS_EPOCH:
            # the one signal that waits for no node: the scheduler itself completes it
            signal = self._add_item(key, 0, SIGNAL)
            ready.add(signal)
            return signal
        signal = self._add_item(key, 1, SIGNAL)
        source = key[0]
        node = self.index.get(source)
        if node is None:
            node = self._add_item(source, 0, 0)
        self.successors[node].append(signal)
        if not self.remaining[node] and source not in self.disabled:
            ready.add(node)
        return signal

    def _add_nodes(self, nodes: Mapping[str, Flags], ready: _Ready) -> None:
        index = self.index
        previous = index.get(PREVIOUS_EPOCH)
        waiting = set() if previous is None else set(self.successors[previous])
        self._stateful: list[int] = []
        for name, (enabled, stateful) in nodes.items():
            if not enabled:
                continue
            node = index.get(name)
            if node is None:
                node = self._add_item(name, 0, 0)
                ready.add(node)
            if not stateful:
                continue
            self._stateful.append(node)
            if previous is None:
                previous = self._add_signal(PREVIOUS_EPOCH, ready)
            if node not in waiting:
                self.successors[previous].append(node)
                self.remaining[node] += 1
                ready.discard(node)

    @cached_property
    def names(self) -> list[str]:
        """For each item, its name if it is a node, or that of the node that emits it."""
        return [node_part(item) for item in self.items]

    @cached_property
    def predecessors(self) -> list[list[int]]:
        """For each item, the indices of what it waits for."""
        predecessors: list[list[int]] = [[] for _ in self.items]
        for item, successors in enumerate(self.successors):
            for successor in successors:
                predecessors[successor].append(item)
        return predecessors

    def ranks(self, costs: Mapping[str, float]) -> list[float]:
        """How far each item is from the end, in seconds. Always asked with the same costs."""
        if self._ranks is None:
            self._ranks = upward_ranks(self, costs)
        return self._ranks

    @cached_property
    def optionals(self) -> Optionals | None:
        """What a missing event unlocks; None if every edge is required."""
        if not self._has_optional:
            return None
        index, disabled = self.index, self.disabled
        edges = [
            (index[source, name], index[target], slot, required)
            for source, name, target, slot, required in self._edges
            if target not in disabled
        ]
        return Optionals(
            self.items,
            self.successors,
            self.predecessors,
            edges,
            stateful=self._stateful,
            previous=index.get(PREVIOUS_EPOCH, -1),
        )

    @cached_property
    def listeners(self) -> dict[str, set[str]]:
        """For each node, the nodes whose missing events may unlock it through optional edges."""
        listeners: dict[str, set[str]] = {}
        if self.optionals is not None:
            for number, name in enumerate(self.names):
                for slot in self.optionals.successors(number):
                    listeners.setdefault(self.optionals.slots[slot][0], set()).add(name)
        return listeners

    def describe(self, item: int) -> NodeRec:
        """What waits for an item and what it waits for, by names; nothing for a foreign item."""
        items, optionals = self.items, self.optionals
        if item >= len(items):
            return {
                "nqueue": 0,
                "successors": set(),
                "predecessors": set(),
                "optional_predecessors": {},
                "optional_successors": set(),
            }
        held: dict[tuple[str, str], tuple[str, str]] = {}
        unlocked: list[tuple[str, str]] = []
        if optionals is not None:
            slots = optionals.slots
            for number, slot in optionals.held.get(item, {}).items():
                signal = items[number]
                if isinstance(signal, tuple):
                    held[signal] = slots[slot]
            unlocked = [slots[slot] for slot in optionals.successors(item)]
        return {
            "nqueue": self.remaining[item],
            "successors": {items[i] for i in self.successors[item]},
            "predecessors": {items[i] for i in self.predecessors[item]},
            "optional_predecessors": held,
            "optional_successors": set(unlocked),
        }

    @cached_property
    def exhausted(self) -> bool:
        """Whether a new epoch has nothing to run: no node can start, or none but meta nodes."""
        items, successors, remaining = self.items, self.successors, self.remaining
        left: dict[int, int] = {}

        def unlocked(signals: Iterable[int]) -> list[int]:
            nodes = []
            for signal in signals:
                for node in successors[signal]:
                    left[node] = left.get(node, remaining[node]) - 1
                    if not left[node]:
                        nodes.append(node)
            return nodes

        previous = self.index.get(PREVIOUS_EPOCH, -1)
        first = [item for item in self.ready if item != previous]
        if previous in self.ready:
            first += unlocked([previous])
        if not all(items[node] in META_NODES for node in first):
            return False
        return not unlocked(signal for node in first for signal in successors[node])

    def has_cycle(self) -> bool:
        """Whether some item waits, directly or not, for itself."""
        left = list(self.remaining)
        free = [item for item, count in enumerate(left) if not count]
        for item in free:
            for successor in self.successors[item]:
                left[successor] -= 1
                if not left[successor]:
                    free.append(successor)  # the loop goes on to what it appends
        return len(free) < len(left)

    def source_nodes(self) -> list[str]:
        """The enabled nodes that wait for no other, in order; without inputs and assets."""
        previous = self.index.get(PREVIOUS_EPOCH, -1)
        waiting = set(self.successors[previous]) if previous >= 0 else set()
        return [
            item
            for number, item in enumerate(self.items)
            if isinstance(item, str)
            and self.remaining[number] - (number in waiting) == 0
            and item not in ("input", "assets")
            and item not in self.disabled
        ]


class _Ready:
    """An ordered set whose removal moves the last element into the hole, as NOOB's does."""

    __slots__ = ("items", "position")

    def __init__(self) -> None:
        self.items: list[int] = []
        self.position: dict[int, int] = {}

    def add(self, item: int) -> None:
        if item not in self.position:
            self.position[item] = len(self.items)
            self.items.append(item)

    def discard(self, item: int) -> None:
        at = self.position.pop(item, None)
        if at is not None:
            last = self.items.pop()
            if last != item:
                self.items[at] = last
                self.position[last] = at


def node_part(item: Item) -> str:
    """The name of a node, or of the node that emits a signal."""
    return item if isinstance(item, str) else item[0]


def listed(items: Iterable[Item]) -> str:
    """Items as noob_core lists them in its errors."""
    texts = (
        f'Node("{item}")' if isinstance(item, str) else f'Signal("{item[0]}", "{item[1]}")'
        for item in items
    )
    return f"[{', '.join(texts)}]"
