"""What a scheduler does, whichever implementation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array

    from noob_core import Epoch, SorterState
    from typing_extensions import Buffer


class Scheduler(Protocol):
    """Which nodes can run, in any number of epochs and sub-epochs at once.

    All that `noob_core.Scheduler` has, with the same answers in the same order, and ready nodes by
    batch. It is constructed from nodes (name, enabled, stateful) and edges (source node, source
    signal, target node, target slot, required), in time linear in both; an epoch costs the copy of
    two arrays. An epoch may be given as an int, for a root epoch.

    `priority="critical_path"` is for whoever runs several nodes at once. Of the nodes that are
    ready in an epoch, those are then given first that are furthest from the end by upward rank: a
    node's own cost and the largest rank of what depends on it. `costs` says how many seconds a node
    takes; one that is not there takes one. Nodes of equal rank come in the usual order, and so do
    epochs. The constructor raises ValueError for a priority that is neither this nor "order", for
    costs beside "order", and for a cost that is negative or not finite; NotAddedError for the cost
    of an unknown node.

    Any number of threads may use one scheduler of `noob_fast`: each call is done as a whole, and a
    node is handed out once. The twin in Python is for one thread at a time.

    What is called an index is a node's place in `node_names`.
    """

    @property
    def exhausted(self) -> bool:
        """Whether exhausted nodes have left nothing that could run in a new epoch."""

    @property
    def epoch_log(self) -> set[int]:
        """The last completed root epochs, at most 1000."""

    @property
    def subepochs(self) -> dict[Epoch, set[Epoch]]:
        """The sub-epochs at any depth below each epoch that has some."""

    def begin(self) -> Epoch | None:
        """The first active root epoch, or a new one; None if the graph has nothing to run.

        Raises:
            SchedulerExhaustedError: if no epoch is active and exhausted nodes leave none to come.
        """

    def add_epoch(self) -> Epoch:
        """Add the root epoch after the highest one so far."""

    def add_epoch_at(self, epoch: Epoch | int) -> Epoch:
        """Add a given epoch; for a sub-epoch also those above it.

        Raises:
            EpochExistsError: if it is active.
            EpochCompletedError: if it has been completed.
            ValueError: if it is a sub-epoch of one in which nothing can run.
        """

    def is_active(self) -> bool:
        """Whether any epoch is active."""

    def is_active_at(self, epoch: Epoch | int) -> bool:
        """Whether an epoch or a sub-epoch of it has something ready or out."""

    def epoch_completed(self, epoch: Epoch | int) -> bool:
        """Whether an epoch and its sub-epochs have been completed."""

    def first_active_epoch(self) -> Epoch | None:
        """The lowest root epoch that is active itself or in a sub-epoch."""

    def sources_finished(self, epoch: Epoch | int) -> bool:
        """Whether all source nodes of an epoch have been completed or expired."""

    def get_ready(self) -> list[tuple[Epoch, str]]:
        """Take the nodes that are ready in any epoch."""

    def get_ready_at(self, epoch: Epoch | int) -> list[tuple[Epoch, str]]:
        """Take the nodes that are ready in an epoch or its sub-epochs."""

    def node_names(self) -> list[str]:
        """The names of the nodes, by index.

        Those that the scheduler was given, in order, then those that only edges name.
        """

    def ready_array(self, epoch: Epoch | int) -> array[int]:
        """Take the nodes that are ready in an epoch itself, not in its sub-epochs.

        Returns:
            Their indices, unsigned 32-bit integers: what `numpy.frombuffer` and `numpy.asarray`
            read without a copy.
        """

    def done_array(self, epoch: Epoch | int, indices: Buffer) -> list[Epoch]:
        """Complete nodes of an epoch with their signals, one after the other, as `done` does.

        Args:
            epoch: the epoch, or sub-epoch.
            indices: unsigned 32-bit integers in one dimension, as `ready_array` gives them or as
                an array of `numpy.uint32`.

        Returns:
            The epochs that ended by it, in the order in which they did.

        Raises:
            TypeError: if it is no such buffer; nothing has been completed.
            NotAddedError: if an index is no node's, or the epoch does not have its node.
            AlreadyDoneError: if a node has been completed or expired before. What is before the
                culprit in the batch has been completed, and what is after it has not.
        """

    def node_is_ready(self, node: str, epoch: Epoch | int, subepochs: bool) -> bool:  # noqa: FBT001  # noob_core's signature
        """Whether a node is ready in an epoch, or (`subepochs`) in one below it.

        Raises:
            NotAddedError: if this scheduler has never heard of the node.
        """

    def node_is_done(self, node: str, epoch: Epoch | int) -> bool:
        """Whether a node has been completed or expired in an epoch and all those below it.

        Raises:
            NotAddedError: if this scheduler has never heard of the node.
        """

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

    def done_many(self, nodes: list[tuple[Epoch, str]]) -> list[Epoch]:
        """Complete nodes with their signals, as `get_ready` and `get_ready_at` list them.

        Raises:
            NotAddedError: if an epoch does not have one of them.
            AlreadyDoneError: if one has been completed or expired before. What is before the
                culprit in the list has been completed, and what is after it has not.
        """

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

    def update(self, events: list[tuple[Epoch | int, str, str, bool, bool]]) -> list[Epoch]:
        """Take in events, those of the deepest sub-epochs first; return the epochs that ended.

        Args:
            events: epoch, node, signal, whether no event came, and whether none ever will again.
                What is not of the graph is passed over.

        Raises:
            AlreadyDoneError: if a signal has been completed before in its epoch.
        """

    def release_early(self, epoch: Epoch | int) -> None:
        """Let a root epoch's stateful nodes go though the epoch before it has not ended."""

    def end_epoch(self, epoch: Epoch | int) -> list[Epoch]:
        """Declare an epoch completed; return the epochs that ended, this one last."""

    def has_cycle(self) -> bool:
        """Whether the graph has a cycle."""

    def generations(self) -> list[list[str]]:
        """The nodes that can run at once, again and again, of a whole epoch."""

    def source_nodes(self) -> list[str]:
        """The nodes that depended on no other when the scheduler was created."""

    def upstream_nodes(self, node: str) -> set[str]:
        """The nodes that a node waits for, by required or optional edges, directly or not.

        Raises:
            NotAddedError: if the graph does not have the node.
        """

    def get_epoch_state(self, epoch: Epoch | int) -> SorterState:
        """A copy of an epoch's state, for debugging; costs as much as the graph is large.

        Raises:
            NotAddedError: if the epoch does not exist, or no longer.
        """
