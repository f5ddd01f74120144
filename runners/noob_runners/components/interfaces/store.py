"""What an event store does, whichever implementation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from noob import Epoch
    from noob.event import Event

__all__ = ["EventStore"]


class EventStore(Protocol):
    """What nodes emitted, by epoch, node and signal: see `noob.store.EventStore`.

    Events are dictionaries that are made when someone reads them. Several threads may use a store
    at a time.
    """

    def add(self, event: Event) -> Event:
        """Add an event that exists; return it."""

    def add_value(
        self, signals: Mapping[str, Any], value: Any, node_id: str, epoch: Epoch
    ) -> Sequence[Event]:
        """Add what a node returned: of one signal its value, of several an iterable of theirs.

        What is an event already, or a sequence that begins with one, is added as it is.

        Returns:
            The events that were added.

        Raises:
            TypeError: a name is not a text; several values are not iterable.
        """

    def add_many(
        self,
        node_ids: Sequence[str],
        signals: Sequence[str] | str,
        values: Sequence[Any],
        epoch: Epoch,
    ) -> None:
        """Add values as they are, one of each node, all at one time.

        Args:
            node_ids: of n nodes; one may occur more than once.
            signals: of each its signal, or one for all.
            values: n of them.
            epoch: in which they were emitted.

        Raises:
            TypeError: a name is not a text.
            ValueError: the numbers of nodes, signals, and values differ.
        """

    def get(self, node_id: str, signal: str, epoch: Epoch | Literal[-1]) -> Event:
        """The latest event of a signal in an epoch or the nearest of its parents that has one.

        Args:
            node_id: which node emitted it.
            signal: as which of its signals.
            epoch: -1 is the epoch that has had events and began last.

        Raises:
            KeyError: there is none; the message says so if it was dropped to stay within bounds.
        """

    def get_many(
        self, node_ids: Sequence[str], signals: Sequence[str] | str, epoch: Epoch | Literal[-1]
    ) -> list[Any]:
        """The values (not the events) of what `get` finds, in the order of `node_ids`.

        Raises:
            KeyError: the first that is missing.
            ValueError: the numbers of nodes and signals differ.
        """

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything."""
