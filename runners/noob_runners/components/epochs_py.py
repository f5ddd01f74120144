"""The epochs of a scheduler: which exist, what completing or expiring an item does to them all.

A root epoch runs the whole graph. A node that emits several events for one (a map) opens
sub-epochs, each of which runs what is downstream of that node; the node is then expired in the
epoch above, what completes above completes below, and what completes below is expired above. A
root epoch goes when it and its sub-epochs have nothing left to do.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from noob_core import Epoch
from noob_core.exceptions import (
    AlreadyDoneError,
    EpochCompletedError,
    EpochExistsError,
    NotAddedError,
)

from noob_runners.components.graph_py import DONE, PREVIOUS_EPOCH, RAN, Item, listed, node_part
from noob_runners.components.sorter_py import Sorter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from noob_runners.components.templates_py import Templates

_LOG_LENGTH = 1000
"""How many completed root epochs are remembered; all before the first of them are completed too."""


class Epochs:
    """The epochs in progress, and the memory of those completed.

    Attributes:
        templates: the graphs to run.
        sources: the nodes that depend on no other; the next epoch starts when they are done.
        sorters: the state of each epoch in progress.
        subepochs: the sub-epochs at any depth below each epoch, in order of creation.
        log: the numbers of the last completed root epochs.
    """

    def __init__(self, templates: Templates, costs: Mapping[str, float] | None = None) -> None:
        """Start without any epoch. With `costs` (seconds by node) the critical path goes first."""
        self.templates = templates
        self._costs = costs
        self.sources = dict.fromkeys(templates.whole.source_nodes())
        self.sorters: dict[Epoch, Sorter] = {}
        self.subepochs: dict[Epoch, dict[Epoch, None]] = {}
        self.log: set[int] = set()
        self._source_list = list(self.sources)
        self._log_order: list[int] = []
        self._busy: dict[Epoch, Sorter] = {}
        self._next = 0

    def add(self, epoch: Epoch | None = None) -> Epoch:
        """Add an epoch, and those above it; None is the root epoch after the highest so far.

        Raises:
            EpochExistsError: if it is in progress.
            EpochCompletedError: if it has been completed.
            ValueError: if it is a sub-epoch of one in which nothing can run.
        """
        if epoch is None:
            epoch = Epoch(self._next)
        elif epoch in self.sorters:
            raise EpochExistsError(f"Epoch {epoch} is already scheduled!")
        elif self.completed(epoch):
            raise EpochCompletedError(f"Epoch {epoch} has already been completed!")
        self._next = max(self._next, epoch.root + 1)
        self._create(epoch)
        return epoch

    def completed(self, epoch: Epoch) -> bool:
        """Whether an epoch and its sub-epochs have been completed."""
        if epoch in self.sorters or not self.log:
            return False
        return epoch.root < self._log_order[0] or epoch.root in self.log

    def active(self, epoch: Epoch) -> bool:
        """Whether an epoch or a sub-epoch of it has something ready or out."""
        sorter = self.sorters.get(epoch)
        return (sorter is not None and sorter.is_active()) or self._active_below(epoch)

    def first_active(self) -> Epoch | None:
        """The lowest root epoch that is active."""
        roots = map(Epoch, sorted({epoch.root for epoch in self.sorters}))
        return next(filter(self.active, roots), None)

    def with_below(self, epoch: Epoch) -> list[Sorter | None]:
        """The states of the sub-epochs of an epoch and its own; None for one not in progress."""
        return [self.sorters.get(e) for e in (*self.subepochs.get(epoch, ()), epoch)]

    def take(self, epochs: Iterable[Epoch]) -> list[tuple[Epoch, str]]:
        """Take the nodes that are ready in some epochs."""
        taken: list[tuple[Epoch, str]] = []
        for epoch in epochs:
            sorter = self.sorters.get(epoch)
            if sorter is not None:
                nodes, names = sorter.get_ready(), sorter.graph.names
                if self._costs is not None:
                    ranks = sorter.graph.ranks(self._costs)
                    nodes.sort(key=ranks.__getitem__, reverse=True)  # keeps the order of equals
                taken += [(epoch, names[node]) for node in nodes]
        return taken

    def done(self, epoch: Epoch, item: Item, *, with_signals: bool) -> list[Epoch]:
        """Complete an item, with its signals if it is a node and `with_signals`.

        Returns:
            The epochs that ended by it, in the order in which they did.

        Raises:
            NotAddedError: if the epoch does not have the item.
            AlreadyDoneError: if it has been completed or expired before.
            ValueError: if the epoch is new and nothing can run in it.
        """
        return self.end(epoch) if self._complete(epoch, item, with_signals=with_signals) else []

    def expire(
        self, epoch: Epoch, item: Item, *, with_signals: bool, unlock_optionals: bool
    ) -> list[Epoch]:
        """Complete an item without result, here and in the sub-epochs that it did not open.

        Returns:
            The epochs that ended by it, in the order in which they did.
        """
        sorter = self.sorters.get(epoch)
        if sorter is None:
            sorter = None if self.completed(epoch) else self._open(epoch)
            if sorter is None:
                return []
        sorter.expire([sorter.locate(item)], unlock_optionals=unlock_optionals)
        ended: list[Epoch] = []

        def also(at: Epoch, item: Item) -> None:
            ended.extend(
                self.expire(at, item, with_signals=with_signals, unlock_optionals=unlock_optionals)
            )

        if with_signals and isinstance(item, str):
            for signal in sorter.signals(item):
                also(epoch, sorter.graph.items[signal])
        if epoch in self.subepochs:
            node = node_part(item)
            below = [e for e in self.subepochs[epoch] if e in self.sorters]
            for subepoch in [e for e in below if self.sorters[e].leaf != node]:
                also(subepoch, item)
        # one of those may have ended this epoch already
        if not self.active(epoch) and not self.completed(epoch):
            ended += self.end(epoch)
        return ended

    def end(self, epoch: Epoch) -> list[Epoch]:
        """Declare an epoch completed, and let the next one's stateful nodes run.

        Returns:
            The epochs that ended by it, in the order in which they did; the given one is the last.
        """
        # that the next epoch waited for nothing else may end it too, and so on
        chain = [epoch]
        while self._release(chain[-1] + 1):
            chain.append(chain[-1] + 1)
        ended: list[Epoch] = []
        for over in reversed(chain):
            if over.is_root:
                self._forget(over)
            else:
                above = over.parents[0]
                if not self.active(above):
                    ended += self.end(above)
            ended.append(over)
        return ended

    def release_early(self, epoch: Epoch) -> None:
        """Let an epoch's stateful nodes go though the epoch before it is not complete."""
        sorter = self.sorters.get(epoch)
        if sorter is not None:
            previous = sorter.find(PREVIOUS_EPOCH)
            if previous >= 0 and not sorter.flags[previous] & DONE:
                sorter.done([previous])

    def sources_finished(self, epoch: Epoch) -> bool:
        """Whether all source nodes of an epoch have been completed or expired."""
        sorter = self.sorters.get(epoch)
        return self.completed(epoch) if sorter is None else self._sources_finished(sorter)

    def _sources_finished(self, sorter: Sorter) -> bool:
        sources, count = self._source_list, sorter.sources_done
        while count < len(sources) and sorter.has(sources[count], DONE):
            count += 1
        sorter.sources_done = count  # all before it need not be looked at again
        return count == len(sources)

    def _release(self, epoch: Epoch) -> bool:
        """Tell an epoch that the one before it is complete; return whether that ends it."""
        if epoch not in self.sorters:
            if not epoch.is_root:
                return False
            self._add_if_new(epoch)
        try:
            return self._complete(epoch, PREVIOUS_EPOCH, with_signals=False)
        except (AlreadyDoneError, NotAddedError, EpochCompletedError):
            return False

    def _add_if_new(self, epoch: Epoch) -> None:
        new = epoch not in self.sorters and not self.completed(epoch)
        if new and not self.templates.exhausted:
            self.add(epoch)

    def _forget(self, epoch: Epoch) -> None:
        self._record(epoch.root)
        if len(self.log) > _LOG_LENGTH:
            self.log.remove(heappop(self._log_order))
        for over in (epoch, *self.subepochs.pop(epoch, ())):
            self.sorters.pop(over, None)
            self.subepochs.pop(over, None)
            self._busy.pop(over, None)

    def _record(self, root: int) -> None:
        if root not in self.log:
            self.log.add(root)
            heappush(self._log_order, root)

    def _active_below(self, epoch: Epoch) -> bool:
        below = self.subepochs.get(epoch)
        if not below:
            return False
        # the one that was found active last time mostly still is
        busy = self._busy.get(epoch)
        if busy is not None and busy.is_active():
            return True
        for subepoch in below:
            sorter = self.sorters.get(subepoch)
            if sorter is not None and sorter.is_active():
                self._busy[epoch] = sorter
                return True
        return False

    def _open(self, epoch: Epoch) -> Sorter | None:
        """Add an epoch; None if nothing can run in it, so that it is completed at once."""
        self.add(epoch)
        return self.sorters.get(epoch)

    def _create(self, epoch: Epoch) -> None:
        if not epoch.is_root:
            self._create_below(epoch)
            return
        sorter = Sorter(self.templates.whole)
        previous = sorter.find(PREVIOUS_EPOCH)
        if previous >= 0 and (epoch.root == 0 or self.completed(epoch - 1)):
            sorter.done([previous])
        if sorter.is_active():
            self.sorters[epoch] = sorter
        else:
            self._record(epoch.root)

    def _create_below(self, epoch: Epoch) -> None:
        parents, (node, _) = epoch.parents, epoch[-1]
        graph = self.templates.below(node)
        if parents[0] not in self.sorters:
            self._create(parents[0])
        above = self.sorters.get(parents[0])
        if above is None:
            raise ValueError(f"Epoch {parents[0]} cannot have sub-epochs: nothing runs in it")
        sorter = Sorter(graph, parents, node)
        sorter.inherit(above)
        was_done = above.has(node, DONE)
        for parent in parents:
            self.subepochs.setdefault(parent, {})[epoch] = None
        self.sorters[epoch] = sorter
        if not was_done:
            self.expire(parents[0], node, with_signals=False, unlock_optionals=False)

    def _complete(self, epoch: Epoch, item: Item, *, with_signals: bool) -> bool:
        """Complete an item; return whether the epoch has nothing left, and is to be ended."""
        sorter = self.sorters.get(epoch)
        if sorter is None:
            if self.completed(epoch) or self.templates.exhausted:
                return False
            sorter = self._open(epoch)
        if sorter is None:
            raise ValueError(f"nothing runs in epoch {epoch}")
        number = sorter.find(item)
        if number < 0:
            raise NotAddedError(f"node(s) {listed([item])} were not added using add()")
        below = self.subepochs.get(epoch) if self.subepochs else None
        if below:
            if not sorter.flags[number] & DONE:
                sorter.done([number])
            self._complete_below(below, item)
        else:
            sorter.done([number])
        if with_signals and isinstance(item, str):
            sorter.done([s for s in sorter.signals(item) if not sorter.flags[s] & DONE])
        for parent in sorter.parents:
            above = self.sorters[parent]
            above.expire([above.locate(item)], unlock_optionals=False)
        if not sorter.parents and item in self.sources and self._sources_finished(sorter):
            # what is stateless in the next epoch may as well start
            self._add_if_new(epoch + 1)
        return not sorter.is_active() and not self._active_below(epoch)

    def _complete_below(self, below: Collection[Epoch], item: Item) -> None:
        """Complete an item in sub-epochs, and expire there what depends on it alone.

        What is downstream of the item, and not of the node that opened the sub-epoch, runs in the
        epoch above only.
        """
        node = node_part(item)
        for subepoch in below:
            sorter = self.sorters.get(subepoch)
            if sorter is None:
                continue
            number = sorter.find(item)
            if not sorter.records(number) or sorter.flags[number] & RAN:
                continue
            sorter.revive(number)
            sorter.done([number])
            exclusive = self.templates.exclusive(node, sorter.leaf)
            sorter.expire([sorter.locate(name) for name in exclusive], unlock_optionals=True)
