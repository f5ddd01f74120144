"""`FastScheduler`, the twin in Python of `noob_fast.FastScheduler`: which nodes run in which epoch.

It has the interface of `noob_core.Scheduler` and gives the same answers in the same order, but is
constructed in time linear in nodes and edges, and an epoch costs the copy of two arrays. What it
does otherwise, on purpose: a name that this scheduler was not given raises `NotAddedError`, where
noob_core panics, or answers by what other schedulers of the process have been given; an epoch in
which nothing can run is completed as it is added, so that nothing is expired in it, and completing
something in it or adding a sub-epoch is a `ValueError`, where noob_core panics; a graph of any
depth, and any number of epochs that end at once, are handled without recursion; `subepochs` forgets
the inner ones too when a root epoch ends; epochs may be given as integers everywhere. This module
is the outer face: names in, names and epochs out.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Literal, TypeAlias

from noob_core import Epoch, SorterState
from noob_core.exceptions import AlreadyDoneError, NotAddedError, SchedulerExhaustedError

from noob_runners.components.epochs_py import Epochs
from noob_runners.components.graph_py import (
    DONE,
    META_NODES,
    PREVIOUS_EPOCH,
    READY,
    Edge,
    Flags,
    Item,
)
from noob_runners.components.priority_py import checked_costs
from noob_runners.components.sorter_py import Sorter
from noob_runners.components.templates_py import Templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typing_extensions import Buffer

_Event: TypeAlias = tuple[Epoch | int, str, str, bool, bool]


class FastScheduler:
    """Says which nodes can run, in any number of epochs and sub-epochs at once."""

    def __init__(
        self,
        nodes: Sequence[tuple[str, bool, bool | None]],
        edges: Sequence[Edge],
        *,
        priority: Literal["order", "critical_path"] = "order",
        costs: Mapping[str, float] | None = None,
    ) -> None:
        """Build the graph.

        Args:
            nodes: name, enabled, and stateful (None counts as not) of each node.
            edges: source node, source signal, target node, target slot, and required.
            priority: which of the nodes that are ready in an epoch come first: as noob_core orders
                them, or those that are furthest from the end.
            costs: with "critical_path", the seconds that nodes take; 1 for one that is not there.

        Raises:
            ValueError: if a priority or cost makes no sense, or costs are given beside "order".
            NotAddedError: if a cost is of an unknown node.
        """
        flags = {name: (enabled, bool(stateful)) for name, enabled, stateful in nodes}
        self._templates = Templates(flags, edges)
        self._graph_items = self._templates.whole.index
        both = (name for source, _, target, _, _ in edges for name in (source, target))
        self._in_order = list(dict.fromkeys([*(name for name, _, _ in nodes), *both]))
        self._indices = {name: index for index, name in enumerate(self._in_order)}
        self._epochs = Epochs(self._templates, checked_costs(priority, costs, self._indices))
        self._names = _in_order_of_use(flags, edges)
        # noob_core orders sub-epochs by when it first heard of the node that opened them, so it is
        # told all names in the order in which its own scheduler would hear them
        Epoch(0, [(name, 0) for name in self._names])
        self._names.update(dict.fromkeys(META_NODES))

    @property
    def exhausted(self) -> bool:
        """Whether exhausted nodes have left nothing that could run in a new epoch."""
        return self._templates.exhausted

    @property
    def epoch_log(self) -> set[int]:
        """The last completed root epochs."""
        return set(self._epochs.log)

    @property
    def subepochs(self) -> dict[Epoch, set[Epoch]]:
        """The sub-epochs at any depth below each epoch that has some."""
        return {epoch: set(below) for epoch, below in self._epochs.subepochs.items()}

    def begin(self) -> Epoch | None:
        """The first active root epoch, or a new one; None if the graph has nothing to run.

        Raises:
            SchedulerExhaustedError: if no epoch is active and exhausted nodes leave none to come.
        """
        epoch = self.first_active_epoch()
        if epoch is None:
            if self.exhausted:
                raise SchedulerExhaustedError(
                    "Scheduler is exhausted and cannot run until re-initialized"
                )
            epoch = self.add_epoch()
        return None if self._epochs.completed(epoch) else epoch

    def add_epoch(self) -> Epoch:
        """Add the root epoch after the highest one so far."""
        return self._epochs.add()

    def add_epoch_at(self, epoch: Epoch | int) -> Epoch:
        """Add a given epoch; for a sub-epoch also those above it.

        Raises:
            EpochExistsError: if it is active.
            EpochCompletedError: if it has been completed.
            ValueError: if it is a sub-epoch of one in which nothing can run.
        """
        return self._epochs.add(_epoch(epoch))

    def is_active(self) -> bool:
        """Whether any epoch is active."""
        return any(sorter.is_active() for sorter in self._epochs.sorters.values())

    def is_active_at(self, epoch: Epoch | int) -> bool:
        """Whether an epoch or a sub-epoch of it has something ready or out."""
        return self._epochs.active(_epoch(epoch))

    def epoch_completed(self, epoch: Epoch | int) -> bool:
        """Whether an epoch and its sub-epochs have been completed."""
        return self._epochs.completed(_epoch(epoch))

    def first_active_epoch(self) -> Epoch | None:
        """The lowest root epoch that is active itself or in a sub-epoch."""
        return self._epochs.first_active()

    def get_ready(self) -> list[tuple[Epoch, str]]:
        """Take the nodes that are ready in any epoch."""
        return self._epochs.take(sorted(self._epochs.sorters))

    def get_ready_at(self, epoch: Epoch | int) -> list[tuple[Epoch, str]]:
        """Take the nodes that are ready in an epoch or its sub-epochs."""
        epoch = _epoch(epoch)
        below = self._epochs.subepochs.get(epoch)
        return self._epochs.take((epoch,) if below is None else sorted([*below, epoch]))

    def node_names(self) -> list[str]:
        """The names of the nodes: where one stands is its index."""
        return list(self._in_order)

    def ready_array(self, epoch: Epoch | int) -> array[int]:
        """Take the nodes that are ready in an epoch itself, as indices."""
        taken = self._epochs.take((_epoch(epoch),))
        return array("I", [self._indices[name] for _, name in taken])

    def done_array(self, epoch: Epoch | int, indices: Buffer) -> list[Epoch]:
        """Complete nodes of an epoch with their signals, by their indices, one after the other.

        Raises:
            TypeError: if `indices` is no buffer of uint32 with one dimension.
            NotAddedError: if an index is no node's, or the epoch does not have the node.
            AlreadyDoneError: if a node has been completed or expired before.
        """
        numbers = _uint32(indices)
        epoch = _epoch(epoch)
        ended, names = [], self._in_order
        for number in numbers:
            if number >= len(names):
                raise NotAddedError(f"index {number} is no node's: there are {len(names)}")
            ended += self._epochs.done(epoch, names[number], with_signals=True)
        return ended

    def node_is_ready(self, node: str, epoch: Epoch | int, subepochs: bool) -> bool:  # noqa: FBT001  # noob_core's signature
        """Whether a node is ready in an epoch, or (`subepochs`) in one below it.

        Raises:
            NotAddedError: if this scheduler has never heard of the node.
        """
        item = self._item(node)
        epoch = _epoch(epoch)
        sorters = self._epochs.with_below(epoch) if subepochs else [self._epochs.sorters.get(epoch)]
        return any(sorter is not None and sorter.has(item, READY) for sorter in sorters)

    def node_is_done(self, node: str, epoch: Epoch | int) -> bool:
        """Whether a node has been completed or expired in an epoch and all those below it.

        Raises:
            NotAddedError: if this scheduler has never heard of the node.
        """
        item = self._item(node)
        epoch = _epoch(epoch)
        if self._epochs.completed(epoch):
            return True
        sorters = self._epochs.with_below(epoch)
        return all(sorter is not None and sorter.has(item, DONE) for sorter in sorters)

    def update(self, events: Iterable[_Event]) -> list[Epoch]:
        """Take in events, those of the deepest sub-epochs first; return the epochs that ended.

        Args:
            events: epoch, node, signal, whether no event came, and whether none ever will again.
                What is not of the graph is passed over.

        Raises:
            AlreadyDoneError: if a signal has been completed before in its epoch.
        """
        known, ended = self._graph_items, []
        marked: dict[Epoch, set[str]] = {}
        last: Epoch | int | None = None
        for at, node, signal, no_event, exhausted in _deepest_first(events):
            if node not in known:
                continue
            if at is not last:
                last = at
                epoch = _epoch(at)
                nodes = marked.setdefault(epoch, set())
            if node not in nodes:
                nodes.add(node)
                if exhausted:
                    self._templates.disable(node)
                try:
                    over = self._epochs.done(epoch, node, with_signals=False)
                except (AlreadyDoneError, NotAddedError):
                    over = []
                if over:
                    ended += over
                    continue
            item = (node, signal)
            if item in known:
                if no_event or exhausted:
                    ended += self._epochs.expire(
                        epoch, item, with_signals=True, unlock_optionals=True
                    )
                else:
                    ended += self._epochs.done(epoch, item, with_signals=True)
        return ended

    def done(
        self,
        epoch: Epoch | int,
        node_id: str,
        signal: str | None = None,
        with_signals: bool = True,  # noqa: FBT001, FBT002  # noob_core's signature
    ) -> list[Epoch]:
        """Complete a node (and its signals) or one signal; return the epochs that ended.

        Raises:
            NotAddedError: if the epoch does not have it.
            AlreadyDoneError: if it has been completed or expired before.
            ValueError: if the epoch is new and nothing can run in it.
        """
        return self._epochs.done(
            _epoch(epoch), self._item(node_id, signal), with_signals=with_signals
        )

    def done_many(self, nodes: list[tuple[Epoch, str]]) -> list[Epoch]:
        """Complete nodes with their signals, as `get_ready` and `get_ready_at` list them.

        Raises:
            NotAddedError: if an epoch does not have one of them.
            AlreadyDoneError: if one has been completed or expired before.
        """
        return [ended for epoch, node in nodes for ended in self.done(epoch, node)]

    def expire(
        self,
        epoch: Epoch | int,
        node_id: str,
        signal: str | None = None,
        with_signals: bool = True,  # noqa: FBT001, FBT002  # noob_core's signature
        unlock_optionals: bool = True,  # noqa: FBT001, FBT002  # noob_core's signature
    ) -> list[Epoch]:
        """Complete a node or signal without result: what needs it does not run.

        Raises:
            NotAddedError: if this scheduler has never heard of it.
        """
        return self._epochs.expire(
            _epoch(epoch),
            self._item(node_id, signal),
            with_signals=with_signals,
            unlock_optionals=unlock_optionals,
        )

    def release_early(self, epoch: Epoch | int) -> None:
        """Let a root epoch's stateful nodes go though the epoch before it has not ended.

        The caller keeps their order.
        """
        self._epochs.release_early(_epoch(epoch))

    def end_epoch(self, epoch: Epoch | int) -> list[Epoch]:
        """Declare an epoch completed; return the epochs that ended, this one last."""
        return self._epochs.end(_epoch(epoch))

    def sources_finished(self, epoch: Epoch | int) -> bool:
        """Whether all source nodes of an epoch have been completed or expired."""
        return self._epochs.sources_finished(_epoch(epoch))

    def has_cycle(self) -> bool:
        """Whether the graph has a cycle."""
        return self._templates.whole.has_cycle()

    def generations(self) -> list[list[str]]:
        """The nodes that can run at once, again and again, of a whole epoch."""
        graph = self._templates.whole
        return [[graph.names[node] for node in nodes] for nodes in Sorter(graph).generations()]

    def source_nodes(self) -> list[str]:
        """The nodes that depended on no other when the scheduler was created."""
        return list(self._epochs.sources)

    def upstream_nodes(self, node: str) -> set[str]:
        """The nodes that a node waits for, by required or optional edges, directly or not.

        Raises:
            NotAddedError: if the graph does not have the node.
        """
        graph = self._templates.whole
        number = graph.index.get(self._item(node))
        if number is None:
            raise NotAddedError(f"Node {node!r} was not added")
        direct = {graph.names[item] for item in graph.predecessors[number]}
        return (direct | graph.listeners.get(node, set())) - {"meta"}

    def get_epoch_state(self, epoch: Epoch | int) -> SorterState:
        """A copy of an epoch's state, for debugging.

        Raises:
            NotAddedError: if the epoch does not exist, or no longer.
        """
        epoch = _epoch(epoch)
        sorter = self._epochs.sorters.get(epoch)
        if sorter is None:
            raise NotAddedError(f"Epoch {epoch} does not exist")
        return sorter.snapshot()

    def _item(self, node: str, signal: str | None = None) -> Item:
        item: Item = node if signal is None else (node, signal)
        if item in self._names or item in self._graph_items or item == PREVIOUS_EPOCH:
            return item
        raise NotAddedError(f"{item!r} was not added when the scheduler was created")


def _epoch(epoch: Epoch | int) -> Epoch:
    if isinstance(epoch, Epoch):
        return epoch
    try:
        return Epoch(epoch)
    except OverflowError as error:
        raise TypeError(f"{epoch} is not an epoch: it must fit 32 bits, unsigned") from error


_UINT32 = ("I", "@I", "=I", "<I" if sys.byteorder == "little" else ">I")


def _uint32(given: Buffer) -> list[int]:
    wanted = "indices are a buffer of unsigned 32-bit integers with one dimension"
    try:
        view = memoryview(given)
    except TypeError as error:
        raise TypeError(f"{wanted}, not {type(given)}") from error
    if view.format not in _UINT32:
        raise TypeError(f"{wanted}, not a buffer of something else")
    if view.ndim != 1:
        raise TypeError(f"{wanted}, not with {view.ndim}")
    return memoryview(view.tobytes()).cast("I").tolist()


def _in_order_of_use(nodes: Mapping[str, Flags], edges: Sequence[Edge]) -> dict[str, None]:
    """All names, in the order in which noob_core's scheduler meets them (the keys of a dict)."""
    names = dict.fromkeys(name for name, (enabled, _) in nodes.items() if not enabled)
    disabled = frozenset(names)
    for source, _, target, _, _ in edges:
        names[target] = None
        if target not in disabled:
            names[source] = None
    names.update(dict.fromkeys(nodes))
    return names


def _deepest_first(events: Iterable[_Event]) -> Sequence[_Event]:
    """Events of the deepest sub-epochs first, otherwise in their own order."""
    events = list(events)
    last: Epoch | int | None = None
    for event in events:
        if event[0] is not last:
            last = event[0]
            if isinstance(last, Epoch) and not last.is_root:
                return sorted(events, key=lambda event: -len(_epoch(event[0])))
    return events
