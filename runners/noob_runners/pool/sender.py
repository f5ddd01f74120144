"""How a worker sends what came of its calls, and keeps it until it was read well."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from noob_runners.errors import UnpicklableError
from noob_runners.executor import NOT_RUN
from noob_runners.pool.failures import pack_error
from noob_runners.pool.packing import (
    LARGE_BYTES,
    Loans,
    Packed,
    Packer,
    dump_small,
    has_large_bytes,
)
from noob_runners.pool.recipes import type_name
from noob_runners.pool.wire import Kind, frame_header
from noob_runners.recipe import emitted

if TYPE_CHECKING:
    import socket

    from noob_runners.components import BufferPool
    from noob_runners.pool.recipes import Table
    from noob_runners.pool.stage import Outcome
    from noob_runners.recipe import Recipe

__all__ = ["Sender"]


class Sender:
    """The worker's side of what goes to the coordinator. Two threads may send."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self._sock = sock
        self._number = number
        self._lock = threading.Lock()
        self._frames = 0
        self._unread: deque[tuple[int, list[Outcome]]] = deque()
        self.outcomes: list[Outcome] = []
        """What is to be sent. Only the main thread appends."""
        self.loans = Loans()
        self.returns: deque[int] = deque()
        """Loans from the coordinator that are to be returned."""
        self.table: Table | None = None
        self.buffers: BufferPool | None = None
        """Where large values go; None if there is no room for any."""

    def send(self, kind: Kind, thing: Any = None, number: int = 0) -> None:
        """Send a frame with a pickled object."""
        with self._lock:
            self._send(kind, b"" if thing is None else pickle.dumps(thing, 5), number)

    def flush(self) -> None:
        """Send all outcomes, and return what was borrowed."""
        with self._lock:
            self._send_returns()  # first, so that their memory can be used again soon
            outcomes = self._take()
            if outcomes and not self._send_small(outcomes):
                packer = Packer(self.buffers, self._number, self.loans)
                for outcome in outcomes:
                    if not self._send_small([outcome]):
                        self._send_packed(outcome, packer)
                del packer, outcome
            del outcomes
            self._send_returns()  # what was returned as it came

    def flush_small(self) -> None:
        """Send outcomes, while the main thread runs a call.

        Those that take more than a simple message are left to the main thread.
        """
        with self._lock:
            outcomes = self._take()
            if outcomes and not self._send_small(outcomes):
                self.outcomes[:0] = outcomes

    def seen(self, number: int) -> None:
        """The coordinator has read all frames up to this one: no need to keep them."""
        while self._unread and self._unread[0][0] <= number:
            self._unread.popleft()

    def send_again(self, number: int) -> None:
        """Send the outcomes of a frame that could not be read, value by value."""
        with self._lock:
            for frame, outcomes in self._unread:
                if frame == number:
                    packer = Packer(None, 0, self.loans)
                    for outcome in outcomes:
                        self._send_packed(outcome, packer)

    def forget(self) -> None:
        """Drop all outcomes."""
        self.outcomes.clear()
        self._unread.clear()

    def _take(self) -> list[Outcome]:
        outcomes = self.outcomes[:]
        del self.outcomes[: len(outcomes)]
        return outcomes

    def _send_returns(self) -> None:
        if self.returns:
            numbers = [self.returns.popleft() for _ in range(len(self.returns))]
            self._send(Kind.RELEASE, pickle.dumps(numbers, 5))

    def _send(self, kind: Kind, payload: bytes, number: int = 0) -> None:
        self._sock.sendall(frame_header(kind, len(payload), number) + payload)

    def _send_small(self, outcomes: list[Outcome]) -> bool:
        """Send them as one pickle, unless something in them is large or cannot be pickled."""
        try:
            payload = dump_small(outcomes)
        except Exception:  # noqa: BLE001 (whatever a value does)
            return False
        if len(payload) >= LARGE_BYTES and any(has_large_bytes(one[1]) for one in outcomes):
            return False
        self._frames += 1
        self._unread.append((self._frames, outcomes))
        self._send(Kind.RESULTS, payload, self._frames)
        return True

    def _send_packed(self, outcome: Outcome, packer: Packer) -> None:
        ticket, values, clock, failure, steps = outcome
        packed: list[tuple[bool, Packed] | None] = []
        for step, value in zip(steps, values, strict=False):
            if value is NOT_RUN:
                packed.append(None)
                continue
            recipe = self.table.recipes[step]  # type: ignore[union-attr] # a call was run by it
            try:
                plain = len(recipe.signals) == 1 and emitted(recipe, value) is not None
                packed.append((plain, packer.pack(value)))
            except Exception as error:  # noqa: BLE001 (whatever a value does)
                failure = pack_error(_unpicklable(recipe, value, error))
                break
        clock = clock[: 2 * len(packed)]
        self._send(Kind.HEAVY, pickle.dumps((ticket, packed, clock, failure), 5))


def _unpicklable(recipe: Recipe, value: Any, error: Exception) -> UnpicklableError:
    signals = recipe.signals
    culprit = value
    if len(signals) > 1 and type(value) in (list, tuple):
        for signal, part in zip(signals, value, strict=False):
            try:
                pickle.dumps(part, 5)
            except Exception:  # noqa: BLE001 (whatever a value does)
                signals, culprit = (signal,), part
                break
    names = " and ".join(f"{recipe.node_id}.{signal}" for signal in signals)
    failure = UnpicklableError(
        f"node {recipe.node_id!r} returned a value of type {type_name(culprit)} for {names} that "
        f"cannot be pickled: {error}"
    )
    failure.__cause__ = error
    return failure
