"""The state of one epoch: what is ready, out, done, and how much each item still waits for.

A `Sorter` starts as a copy of its graph's counts and flags and never touches the graph itself.
`ready` is ordered exactly as in NOOB's scheduler, where completing a ready item moves the last one
into its place while expiring an item takes its successors out and keeps the order of the rest.
Both are constant in time here: a list, a position for each of its items (kept only from the first
removal to the next time that all are taken), and holes (-1), none of them at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_core.exceptions import AlreadyDoneError

from noob_runners.components.graph_py import (
    DONE,
    OUT,
    PREVIOUS_EPOCH,
    RAN,
    READY,
    RECORDED,
    SIGNAL,
    Graph,
    Item,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from noob_core import Epoch, SorterState

_HOLE = -1


class Sorter:
    """An epoch in progress.

    Attributes:
        graph: the graph that it runs.
        parents: the epochs above it, nearest first; none for a root epoch.
        leaf: the node that opened it; empty for a root epoch.
        flags: for each item, what has become of it (`DONE`, `OUT`, `READY`, `RAN`), beside `SIGNAL`
            and `RECORDED`, which say what it is.
        sources_done: a count that `FastScheduler` keeps here.
    """

    __slots__ = (
        "_finished",
        "_foreign",
        "_passed",
        "_ready",
        "_remaining",
        "_unlocked",
        "_where",
        "flags",
        "graph",
        "leaf",
        "parents",
        "sources_done",
    )

    def __init__(self, graph: Graph, parents: Sequence[Epoch] = (), leaf: str = "") -> None:
        """Start an epoch of `graph`."""
        self.graph = graph
        self.parents = parents
        self.leaf = leaf
        self.flags = graph.flags.copy()
        self.sources_done = 0
        self._remaining = graph.remaining.copy()
        self._ready = graph.ready.copy()
        self._where: dict[int, int] | None = None
        self._passed = 0
        self._finished = 0
        self._foreign: dict[Item, int] | None = None
        self._unlocked: set[int] | None = None

    def is_active(self) -> bool:
        """Whether something is ready, or out and not yet done."""
        return (self._finished < self._passed or bool(self._ready)) and not self.graph.exhausted

    def find(self, item: Item) -> int:
        """The index of an item that the graph has, or that was expired here; else -1."""
        number = self.graph.index.get(item)
        if number is None:
            number = self._foreign.get(item, -1) if self._foreign else -1
        return number

    def locate(self, item: Item) -> int:
        """The index of any item; one that the graph has not gets one of its own."""
        number = self.find(item)
        if number < 0:
            if self._foreign is None:
                self._foreign = {}
            number = self._foreign[item] = len(self.flags)
            self.flags.append(0 if isinstance(item, str) else SIGNAL)
            self._remaining.append(0)
        return number

    def has(self, item: Item, flag: int) -> bool:
        """Whether an item has a flag."""
        number = self.find(item)
        return number >= 0 and bool(self.flags[number] & flag)

    def records(self, number: int) -> bool:
        """Whether an item (or -1) has an entry in the epoch's `info`."""
        return number >= 0 and (
            number < len(self.graph.items) or bool(self.flags[number] & RECORDED)
        )

    def signals(self, node: str) -> Sequence[int]:
        """The signals of a node."""
        number = self.graph.index.get(node)
        return () if number is None else self.graph.successors[number]

    def get_ready(self) -> list[int]:
        """Take the nodes that are ready; they and their signals are then out."""
        ready = self._ready
        if not ready:
            return []
        flags, successors = self.flags, self.graph.successors
        nodes = [item for item in ready if item >= 0 and not flags[item] & SIGNAL]
        if len(nodes) == len(ready):
            self._ready = []
            self._where = None
            for node in nodes:
                flags[node] = flags[node] & ~READY | OUT
                for signal in successors[node]:
                    flags[signal] |= OUT
                self._passed += len(successors[node])
            self._passed += len(nodes)
        else:
            self.mark_out(nodes)
            self.mark_out(signal for node in nodes for signal in successors[node])
        return nodes

    def mark_out(self, items: Iterable[int]) -> None:
        """Note that items have been handed out to be run."""
        flags = self.flags
        for item in items:
            if flags[item] & READY:
                self._remove(item)
            flags[item] |= OUT
            self._passed += 1

    def done(self, items: Sequence[int]) -> None:
        """Complete items and make ready what waited for nothing else.

        Raises:
            AlreadyDoneError: if one of them has been completed or expired before; none is then.
        """
        flags, remaining, successors = self.flags, self._remaining, self.graph.successors
        for item in items:
            if flags[item] & DONE:
                culprits = [self._name(i) for i in items if flags[i] & DONE]
                raise AlreadyDoneError(f"node(s) {listed(culprits)} were already marked done")
        for item in items:
            self._finish(item)
            flags[item] |= RAN
        for item in items:
            if item >= len(successors):
                continue
            for successor in successors[item]:
                flag = flags[successor]
                if flag & (DONE | OUT):
                    continue
                left = remaining[successor] = remaining[successor] - 1
                if not left and not flag & READY:
                    self._make_ready(successor)

    def expire(self, items: Sequence[int], *, unlock_optionals: bool) -> None:
        """Complete items without making ready what waits for them.

        What waits for them and is ready all the same is so no longer. With `unlock_optionals`, what
        was waiting for them by an optional edge waits no more.
        """
        flags, successors = self.flags, self.graph.successors
        fresh = []
        for item in items:
            if not flags[item] & DONE:
                self._finish(item)
                fresh.append(item)
            if self._ready and item < len(successors):
                for successor in successors[item]:
                    if flags[successor] & READY:
                        self._remove(successor, keep_order=True)
        if unlock_optionals:
            for item in fresh:
                if item < len(successors):
                    self._unlock(item)
                else:
                    flags[item] |= RECORDED

    def revive(self, item: int) -> None:
        """Take back the expiry of an item, unless it is disabled."""
        if not self.flags[item] & DONE or self._name(item) in self.graph.disabled:
            return
        self.flags[item] &= ~DONE
        self._finished -= 1
        self._passed -= 1
        if self.records(item) and not self._remaining[item]:
            self._make_ready(item)

    def inherit(self, above: Sorter) -> None:
        """Bring a new sub-epoch to the state of the epoch above it.

        The node that opens it is left alone, and so are its signals: their events are on the way.
        """
        own = {self.leaf, *(above.graph.items[s] for s in above.signals(self.leaf))}
        for number, item in enumerate(self.graph.items):
            there = above.find(item)
            flag = above.flags[there] if there >= 0 else 0
            if flag & RAN:
                self.done([number])
            elif flag & DONE and item not in own:
                self.expire([number], unlock_optionals=False)
            elif flag & OUT:
                self.mark_out([number])

    def generations(self) -> Iterator[list[int]]:
        """Run the epoch to its end: all that can run at once, again and again."""
        previous = self.graph.index.get(PREVIOUS_EPOCH)
        if previous is not None and self.flags[previous] & READY:
            self.done([previous])
        while self.is_active():
            nodes = self.get_ready()
            yield nodes
            self.done([*nodes, *(s for node in nodes for s in self.graph.successors[node])])

    def snapshot(self) -> SorterState:
        """A copy of the whole state, by names; linear in the graph."""
        names: dict[Item, int] = {**self.graph.index, **(self._foreign or {})}
        flagged = {
            flag: {name for name, item in names.items() if self.flags[item] & flag}
            for flag in (READY, OUT, DONE, RAN)
        }
        known = {name: item for name, item in names.items() if self.records(item)}
        disabled: set[Item] = {*self.graph.disabled}
        return {
            "ready": flagged[READY],
            "out": flagged[OUT],
            "done": flagged[DONE],
            "disabled": disabled,
            "ran": flagged[RAN],
            "pending": set(known).difference(*flagged.values(), disabled),
            "npassedout": self._passed,
            "nfinished": self._finished,
            "info": {
                name: {**self.graph.describe(item), "nqueue": self._remaining[item]}
                for name, item in known.items()
            },
        }

    def _name(self, item: int) -> Item:
        items = self.graph.items
        if item < len(items):
            return items[item]
        return list(self._foreign or ())[item - len(items)]

    def _finish(self, item: int) -> None:
        flags = self.flags
        flag = flags[item]
        if flag & READY:
            self._remove(item)
        if not flag & OUT:
            self._passed += 1
        flags[item] = flag & ~(OUT | READY) | DONE
        self._finished += 1

    def _unlock(self, item: int) -> None:
        optionals = self.graph.optionals
        if optionals is None:
            return
        if self._unlocked is None:
            self._unlocked = set()
        for slot in optionals.successors(item):
            node = optionals.slot_nodes[slot]
            if slot not in self._unlocked:
                self._unlocked.add(slot)
                self._remaining[node] -= 1
            if not self._remaining[node] and not self.flags[node] & (DONE | OUT | READY):
                self._make_ready(node)

    def _make_ready(self, item: int) -> None:
        self.flags[item] |= READY
        if self._where is not None:
            self._where[item] = len(self._ready)
        self._ready.append(item)

    def _remove(self, item: int, *, keep_order: bool = False) -> None:
        """Take an item out of `ready`; the last one fills its place unless order is to be kept."""
        ready = self._ready
        self.flags[item] &= ~READY
        if self._where is None:
            self._where = {number: at for at, number in enumerate(ready) if number >= 0}
        at = self._where.pop(item)
        if keep_order:
            ready[at] = _HOLE
        else:
            last = ready.pop()
            if last != item:
                ready[at] = last
                self._where[last] = at
        while ready and ready[-1] == _HOLE:
            ready.pop()
