"""A worker as its coordinator sees it: its process, its sockets, and the calls that it has."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import weakref
from collections import deque
from dataclasses import dataclass
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.components.shared_file import FRONT, memory_file
from noob_runners.pool.packing import Loans
from noob_runners.pool.process import WorkerProcess
from noob_runners.pool.progress import Progress
from noob_runners.pool.source import Source
from noob_runners.pool.wire import FLUSH, GIVE, Frame, Inbox, Kind, Outbox, frame_header

if TYPE_CHECKING:
    from selectors import BaseSelector

    from noob_runners.executor import Call

__all__ = ["Batch", "Count", "Member", "WorkerCount"]

_PATIENCE_S = 1.0
"""How long a worker may take to stop."""
_PATIENCE_STATEFUL_S = 10.0
"""The same, if it has stateful nodes to end."""


_HELD_NS = 5_000_000
"""How long a worker may hold outcomes back because the call after them is long."""


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """What a worker, and those before it in its place, have done."""

    calls: int
    """How many calls it has answered."""
    busy_ns: int
    """Nanoseconds in which it ran steps."""
    idle_ns: int
    """Nanoseconds in which it was ready and did not."""


@dataclass(slots=True)
class Count:
    """The same while it is being counted."""

    calls: int = 0
    busy_ns: int = 0
    ready_ns: int = 0
    """Nanoseconds in which it was ready, whether it ran steps or not."""

    def frozen(self) -> WorkerCount:
        """What has been counted until now."""
        return WorkerCount(self.calls, self.busy_ns, max(0, self.ready_ns - self.busy_ns))


class Batch:
    """Calls that were sent together."""

    __slots__ = ("left", "nbytes", "ns", "number")

    def __init__(self, number: int, size: int, nbytes: int) -> None:
        self.number = number
        """Of the frame."""
        self.left = size
        """How many of its calls have no result yet."""
        self.nbytes = nbytes
        """A call's share of its bytes."""
        self.ns = 0
        """A call's share of the time that it took to pack and send, in nanoseconds."""


class Member:
    """One worker, from the start of its process to its end. What takes its place is another."""

    def __init__(
        self, context: Any, selector: BaseSelector, place: int, number: int, count: Count
    ) -> None:
        """Begin to start a process.

        Args:
            context: how processes are started.
            selector: told when its socket has something to read, or room to write.
            place: the worker's number.
            number: that of the process's file; no other process has the same.
            count: where to count what it does.

        Raises:
            OSError: there is no room for its sockets or its file.
        """
        self.place = place
        self.number = number
        self.count = count
        self.calls: dict[int, tuple[Call, Batch]] = {}
        """Those that were sent and have no result, by ticket, in that order."""
        self.batches = 0
        """How many batches they are."""
        self.pinned: deque[Call] = deque()
        """Calls of stateful nodes that wait to be sent."""
        self.initialised: set[int] = set()
        """The stateful steps of which calls were sent."""
        self.ready_ns = 0
        """When it was ready, by `time.monotonic_ns`; 0 before."""
        self.heard_ns = 0
        """When it last sent something, or was sent calls, by the same clock."""
        self.forgetting = False
        """Whether it is still to say that it has dropped its calls."""
        self.asked = False
        """Whether it is still to say which calls it gives back."""
        self.generous = False
        """Whether it may have calls to give back."""
        self.ended = False
        self.seen = 0
        """The number of the last of its frames that was read."""
        self.loans = Loans()
        self.returns: deque[int] = deque()
        """Loans that are to be returned to it."""
        self.known: set[int] = {number}
        """The numbers of the files that it has."""
        self.sentinel = -1
        """Once it is ready: the file that can be read when its process has ended."""
        self._frames = 0
        self._hurried_ns = 0
        self._tallied_ns = 0
        self._selector = selector
        self._interest = EVENT_READ
        self.source = Source(memory_file())
        os.ftruncate(self.source.descriptor, FRONT)
        self.progress = Progress(self.source.descriptor)
        self._sock, theirs = socket.socketpair()
        self._bell, their_bell = socket.socketpair()
        for end in (self._sock, self._bell):
            end.settimeout(0)
        self._inbox = Inbox(self._sock)
        self._outbox = Outbox(self._sock)
        selector.register(self._sock, EVENT_READ, self)
        _MEMBERS.add(self)
        self.introduce(number, self.source)
        name = f"noob-worker-{place}"
        self.process = WorkerProcess(context, name, theirs, their_bell, number)

    @property
    def is_free(self) -> bool:
        """Whether calls may be sent to it."""
        return self.ready_ns > 0 and not self.forgetting

    def be_ready(self) -> None:
        """It has said that it is: from now on its end is noticed even if its socket stays open."""
        self.ready_ns = self._tallied_ns = monotonic_ns()
        self.sentinel = self.process.sentinel
        self._selector.register(self.sentinel, EVENT_READ, self)

    def send(self, kind: Kind, payload: bytes = b"", number: int = 0) -> None:
        """Send a frame, as far as the socket takes it now."""
        self._outbox.put(frame_header(kind, len(payload), number, self.seen), payload)
        self.flush()

    def send_batch(self, kind: Kind, payload: bytes, calls: list[Call], nbytes: int) -> Batch:
        """Send calls.

        Args:
            kind: of frame.
            payload: the calls, packed.
            calls: the same calls.
            nbytes: how many bytes they are.
        """
        self._frames += 1
        batch = Batch(self._frames, len(calls), nbytes // len(calls))
        for call in calls:
            self.calls[call[0]] = call, batch
        self.batches += 1
        self.generous = True
        self.heard_ns = monotonic_ns()
        self.send(kind, payload, self._frames)
        return batch

    def take_out(self, ticket: int) -> tuple[Call, Batch] | None:
        """A call that it no longer has; None if it has not had it."""
        entry = self.calls.pop(ticket, None)
        if entry is not None:
            batch = entry[1]
            batch.left -= 1
            if not batch.left:
                self.batches -= 1
        return entry

    def forget(self) -> None:
        """Drop its calls, and let it do so."""
        self.pinned.clear()
        self.batches = 0
        if self.calls:
            self.calls.clear()
            self.forgetting = True
            self.send(Kind.FORGET)

    def introduce(self, number: int, source: Source) -> None:
        """Make a file of buffers known to it."""
        self._outbox.put(frame_header(Kind.FILE, 0, number, self.seen), file=source)
        self.known.add(number)
        self.flush()

    def give_returns(self) -> None:
        """Return to it what nobody here looks at any more."""
        if self.returns:
            numbers = [self.returns.popleft() for _ in range(len(self.returns))]
            self.send(Kind.RELEASE, pickle.dumps(numbers, 5))

    def ask(self) -> None:
        """Ask it to give back some calls."""
        self.asked = True
        self.generous = False
        self._ring(GIVE)

    def hurry(self, now: int) -> int:
        """If it has been silent for long in a call, have it send what it has.

        Returns:
            When to see about it, by `time.monotonic_ns`; 0 if there is no need.
        """
        if len(self.calls) < 2 or self._hurried_ns == self.heard_ns:  # noqa: PLR2004 (the one it runs)
            return 0
        due = self.heard_ns + _HELD_NS
        if now < due:
            return due
        self._hurried_ns = self.heard_ns
        running = self.progress.read()
        if running is not None and running.held:
            self._ring(FLUSH)
        return 0

    def _ring(self, wish: bytes) -> None:
        with contextlib.suppress(OSError):  # then it is dead, which will be noticed
            self._bell.send(wish)

    def receive(self) -> list[Frame]:
        """Frames that have come.

        Raises:
            EOFError: it has closed its end.
            BlockingIOError: nothing has come.
            OSError: the socket's.
        """
        frames = self._inbox.receive()
        self.heard_ns = monotonic_ns()
        return frames

    def last_frames(self) -> list[Frame]:
        """What it has sent before it died, as far as it is complete."""
        frames: list[Frame] = []
        with contextlib.suppress(EOFError, OSError):  # that is then the end
            while True:
                # (Each is kept, as the next are read.)
                frames += [f._replace(payload=memoryview(bytes(f.payload))) for f in self.receive()]
        return frames

    def flush(self) -> None:
        """Send what waits."""
        try:
            self._outbox.flush()
        except OSError:  # it is dead: what it has sent before is still to be read
            self._outbox.clear()
        interest = EVENT_READ | EVENT_WRITE if self._outbox else EVENT_READ
        if interest != self._interest:
            self._interest = interest
            self._selector.modify(self._sock, interest, self)

    def tally(self) -> None:
        """Count the time for which it has been ready, since this was last asked."""
        if self.ready_ns:
            now = monotonic_ns()
            self.count.ready_ns += now - self._tallied_ns
            self._tallied_ns = now

    def stop(self) -> float:
        """Tell it to end; returns how many seconds it may take."""
        if not self.ready_ns:
            return 0.0
        self.send(Kind.STOP)
        return _PATIENCE_STATEFUL_S if self.initialised else _PATIENCE_S

    def drain(self) -> bool:
        """Take what it sends, so that it can end; returns whether it has."""
        self.flush()
        try:
            self.receive()
        except BlockingIOError:
            return self.process.has_ended
        except (EOFError, OSError):
            return True
        return False

    def close(self) -> None:
        """Close all that is left of it; the process has ended."""
        self.ended = True
        # Before they are closed: a forked process may have them open too, and then the kernel
        # would go on telling of them, under numbers that others have by then.
        for file in (self._sock, self.sentinel):
            with contextlib.suppress(KeyError, ValueError):  # it is not, or not yet, among them
                self._selector.unregister(file)
        self.process.close()
        self.abandon()

    def abandon(self) -> None:
        """Close this side of the sockets only: that is all that a forked copy may do."""
        self._sock.close()
        self._bell.close()
        self._outbox.clear()
        self.loans.clear()


_MEMBERS: weakref.WeakSet[Member] = weakref.WeakSet()


def _abandon_all() -> None:
    # A forked process would keep the workers from seeing that their coordinator is gone.
    for member in list(_MEMBERS):
        member.abandon()


os.register_at_fork(after_in_child=_abandon_all)
