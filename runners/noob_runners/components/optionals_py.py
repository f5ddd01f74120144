"""Optional edges: which slots a missing event unlocks.

An event that does not come (NoEvent) expires its signal; nodes that need it never run, and a node
further down that is connected to the end of such a chain by an optional edge must not wait for it.
NOOB's scheduler notes for each item, while it adds edges one by one, the slots to unlock when the
item expires, walking up and down the graph at every edge. Here the notes are taken when they are
first asked for. If all edges into a node come before those out of it, which is what a tube whose
nodes are listed in order of dependency gives, they follow from the finished graph by a memoised
walk. Any other order leaves traces of itself in the notes, so the additions are replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

Lists: TypeAlias = Sequence[Sequence[int]]
Held: TypeAlias = dict[int, dict[int, int]]
_Record: TypeAlias = tuple[int, int, int, bool]


class Optionals:
    """The slots that each item's expiry unlocks, by index.

    Attributes:
        slots: each slot as (node, slot), by its own index.
        slot_nodes: the index of each slot's node.
        held: for each node with optional edges, its slot for each signal that it takes optionally;
            a required edge between the same two replaces an optional one before it.
    """

    def __init__(
        self,
        items: Sequence[str | tuple[str, str]],
        successors: Lists,
        predecessors: Lists,
        edges: Iterable[tuple[int, int, str, bool]],
        *,
        stateful: Sequence[int],
        previous: int,
    ) -> None:
        """Take down the edges, and replay them if their order matters.

        Args:
            items: the graph's items (nodes' names, and signals as pairs), by index.
            successors: what waits for each item, in order.
            predecessors: what each item waits for.
            edges: signal, node, slot's name and required, in the order of addition.
            stateful: the nodes that wait for their previous epoch.
            previous: the index of the signal of the previous epoch, or -1.
        """
        self._items = items
        self._successors = successors
        self._predecessors = predecessors
        self._stateful = stateful
        self._previous = previous
        self.slots: list[tuple[str, str]] = []
        self.slot_nodes: list[int] = []
        self.held: Held = {}
        self._edges = self._number_slots(edges)
        self._leading = self._find_leading()
        self._ordered = self._is_ordered()
        self._known: dict[int, Collection[int]] = {}
        self._ranks: dict[int, tuple[int, ...]] = {}
        self._outgoing: dict[int, list[int]] = {}
        if self._ordered:
            for rank, (signal, node, slot, required) in enumerate(self._edges):
                _hold(self.held, signal, node, slot, required=required)
                if not required:
                    self._outgoing.setdefault(signal, []).append(rank)
        else:
            replay = _Replay(predecessors, self._leading)
            for signal, node, slot, required in self._edges:
                replay.add(signal, node, slot, required=required)
            for node in stateful:
                replay.add(previous, node, -1, required=True)
            self.held = replay.held
            self._known = dict(enumerate(replay.notes))

    def successors(self, item: int) -> Collection[int]:
        """The slots that the expiry of `item` unlocks, in order."""
        known = self._known.get(item)
        if known is None:
            known = self._known[item] = self._find(item)
        return known

    def _number_slots(self, edges: Iterable[tuple[int, int, str, bool]]) -> list[_Record]:
        numbers: dict[tuple[int, str], int] = {}
        numbered = []
        for signal, node, name, required in edges:
            slot = numbers.setdefault((node, name), len(numbers))
            if slot == len(self.slots):
                self.slots.append((str(self._items[node]), name))
                self.slot_nodes.append(node)
            numbered.append((signal, node, slot, required))
        return numbered

    def _find_leading(self) -> set[int]:
        """The signals from which some way leads down to an optional edge: no other matters."""
        leading = {signal for signal, _, _, required in self._edges if not required}
        stack = list(leading)
        while stack:
            for source in self._predecessors[stack.pop()]:
                for signal in self._predecessors[source]:
                    if signal not in leading:
                        leading.add(signal)
                        stack.append(signal)
        return leading

    def _is_ordered(self) -> bool:
        """Whether the notes follow from the finished graph, whatever came when."""
        sources: set[int] = set()
        kinds: dict[int, bool] = {}
        for signal, node, slot, required in self._edges:
            sources.update(self._predecessors[signal])
            if (
                signal == self._previous
                or node in sources
                # a required edge withdraws what an optional one noted for the same slot
                or kinds.setdefault(slot, required) != required
            ):
                return False
        return True

    def _find(self, item: int) -> Collection[int]:
        """The notes of one item, when they follow from the finished graph.

        A signal unlocks the ends of the optional edges at, or below, nodes that it reaches through
        nodes without optional edges of their own, in the order of those edges. A stateful node is
        visited once more at the end, and then notes what it finds below, for itself and for the
        signal of the previous epoch.
        """
        if item == self._previous:
            below = (slot for node in self._stateful for slot in self.successors(node))
            return tuple(dict.fromkeys(below))
        if not isinstance(self._items[item], str):
            return tuple(dict.fromkeys(self._edges[rank][2] for rank in self._reach(item)))
        if self._previous in self._predecessors[item]:
            return tuple(_look_down(item, self._successors, self.held, self._leading))
        return ()

    def _reach(self, signal: int) -> tuple[int, ...]:
        """The ranks of the optional edges that `signal` unlocks, ascending; equal ones shared."""
        successors, ranks, held, leading = self._successors, self._ranks, self.held, self._leading
        stack = [signal]
        while stack:
            current = stack[-1]
            if current in ranks:
                stack.pop()
                continue
            below = [
                following
                for node in successors[current]
                if not held.get(node)
                for following in successors[node]
                if following in leading
            ]
            missing = [following for following in below if following not in ranks]
            if missing:
                stack += missing
                continue
            parts = {id(part): part for following in below if (part := ranks[following])}
            own = self._outgoing.get(current, ())
            if own or len(parts) != 1:
                ranks[current] = tuple(sorted(set(own).union(*parts.values())))
            else:
                (ranks[current],) = parts.values()
        return ranks[signal]


class _Replay:
    """The notes as NOOB's scheduler takes them, edge by edge.

    Attributes:
        notes: for each item, the slots to unlock, in order (the keys of a dict).
        held: see `Optionals.held`; here as far as the edges added so far say.
    """

    def __init__(self, sources: Lists, leading: set[int]) -> None:
        self._sources = sources
        self._nodes = {node for signal in leading for node in sources[signal]}
        self._leading = leading
        self._above: list[dict[int, None]] = [{} for _ in sources]
        self._below: list[dict[int, None]] = [{} for _ in sources]
        self._noted: set[int] = set()
        self.notes: list[dict[int, None]] = [{} for _ in sources]
        self.held: Held = {}

    def add(self, signal: int, node: int, slot: int, *, required: bool) -> None:
        """Add an edge; `slot` is -1 for a stateful node that waits for its previous epoch."""
        for source in self._sources[signal]:
            self._join(source, signal)
        self._join(signal, node)
        _hold(self.held, signal, node, slot, required=required)
        notes = self.notes[node]
        if self.held:
            notes.update(_look_down(node, self._below, self.held, self._leading))
        if not required:
            self._noted.add(slot)
            self._note_above(signal, {slot: None, **notes})
        else:
            if slot in self._noted:
                self._withdraw(signal, slot)
            if notes:
                self._note_above(signal, notes.copy())

    def _join(self, item: int, successor: int) -> None:
        self._below[item][successor] = None
        self._above[successor][item] = None

    def _note_above(self, signal: int, slots: dict[int, None]) -> None:
        """Note slots for the signals above, up to and with nodes that have optional edges."""
        to_visit: dict[int, None] = {signal: None}
        seen: set[int] = set()
        while to_visit:
            current, _ = to_visit.popitem()
            if current not in self._nodes:
                self.notes[current].update(slots)
            if not self.held.get(current):
                above = self._above[current]
                to_visit.update(dict.fromkeys(item for item in above if item not in seen))
                seen.update(above)

    def _withdraw(self, signal: int, slot: int) -> None:
        """Forget the slot wherever a way of required edges leads down to it.

        What is seen but not followed, over an optional edge, is not followed later over a required
        one either: so it is in NOOB's scheduler, and therefore the order of visits matters.
        """
        to_visit: dict[int, None] = {signal: None}
        seen: set[int] = set()
        while to_visit:
            current, _ = to_visit.popitem()
            if slot in self.notes[current]:
                # the last note takes the place of the one that goes
                kept = list(self.notes[current])
                kept[kept.index(slot)] = kept[-1]
                self.notes[current] = dict.fromkeys(kept[:-1])
            held = self.held.get(current, {})
            above = self._above[current]
            to_visit.update(
                dict.fromkeys(item for item in above if item not in seen and item not in held)
            )
            seen.update(above)


def _hold(held: Held, signal: int, node: int, slot: int, *, required: bool) -> None:
    if not required:
        held.setdefault(node, {})[signal] = slot
    elif node in held:
        held[node].pop(signal, None)


def _look_down(
    node: int, successors: Sequence[Collection[int]], held: Held, leading: set[int]
) -> dict[int, None]:
    """The slots that ways down from `node` meet at their first optional edge, as NOOB finds them.

    Args:
        node: where to start.
        successors: what waits for each item, in order.
        held: see `Optionals.held`.
        leading: the signals worth following.
    """
    found: dict[int, None] = {}
    to_visit = dict.fromkeys(signal for signal in successors[node] if signal in leading)
    seen: set[int] = set()
    while to_visit:
        signal, _ = to_visit.popitem()
        for following in successors[signal]:
            slot = held.get(following, {}).get(signal)
            if slot is not None:
                found[slot] = None
                continue
            new = [s for s in successors[following] if s in leading and s not in seen]
            to_visit.update(dict.fromkeys(new))
            seen.update(new)
    return found
