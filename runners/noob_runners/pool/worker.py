"""A worker process: takes calls from its coordinator, runs them, sends what came of them.

One thread does all that. A second one sleeps until the coordinator rings: then, even in the middle
of a long call, it sends what is held back, or gives back calls that have not begun, for an idle
worker to run. If the coordinator is gone it ends the process.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import threading
from collections import deque
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.components import BufferPool
from noob_runners.pool.failures import pack_error
from noob_runners.pool.progress import RECORD, Progress
from noob_runners.pool.recipes import Table
from noob_runners.pool.sender import Sender
from noob_runners.pool.source import Lease, Source
from noob_runners.pool.stage import Stage
from noob_runners.pool.wire import GIVE, Frame, Inbox, Kind, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["main"]

_LOOK_NS = 200_000
"""How long calls run before the socket is looked at."""
_FLUSH_NS = 3_000_000
"""How long outcomes wait for others to go with, as long as there is work."""
_ALL = frozenset(Kind)
_ANY_TIME = frozenset({Kind.CALLS, Kind.HEAVY, Kind.RELEASE, Kind.FILE, Kind.CLOSE})
"""Frames that may be taken in while a call runs."""


def main(sock: socket.socket, bell: socket.socket, number: int) -> None:
    """Work until told to stop. This is what a worker process runs.

    Args:
        sock: to the coordinator, blocking.
        bell: on which the coordinator rings; closed when it is gone.
        number: by which the coordinator knows this process's file.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(EOFError, ConnectionError):  # then the coordinator is gone
        _Worker(sock, bell, number).run()


class _Worker:
    def __init__(self, sock: socket.socket, bell: socket.socket, number: int) -> None:
        self._bell = bell
        self._number = number
        self._inbox = Inbox(sock, descriptors=True)
        self._door = threading.Lock()
        """Held by who takes frames in."""
        self._frames: deque[Frame] = deque()
        """Frames that have come and wait for the main thread."""
        self._sender = Sender(sock, number)
        self._queue: deque[tuple[Any, ...]] = deque()
        self._pinned: deque[tuple[Any, ...]] = deque()
        """Calls of stateful nodes, which are never given back."""
        self._stateful: frozenset[int] = frozenset()
        self._sources: dict[int, Source] = {}
        self._progress: Progress | None = None
        self._stage: Stage | None = None
        self._stopping = False

    def run(self) -> None:
        while self._stage is None and not self._stopping:
            self._take_in()
        threading.Thread(target=self._listen, name="noob-bell", daemon=True).start()
        gc.freeze()  # what was imported stays; the collector need not look at it again and again
        flushed = monotonic_ns()
        while not self._stopping:
            if self._queue or self._pinned:
                now = self._work()
                if now - flushed >= _FLUSH_NS:
                    self._sender.flush()
                    flushed = now
                self._take_in(socket.MSG_DONTWAIT)
            else:
                self._sender.flush()
                self._take_in()
                flushed = monotonic_ns()
        if self._stage is not None:
            self._stage.close()

    def _work(self) -> int:
        """Run calls until there are none, or it is time to look up; returns the time."""
        stage, progress, table = self._stage, self._progress, self._sender.table
        if stage is None or progress is None or table is None:
            raise ProtocolError("calls came before recipes")
        queue, pinned, quick = self._queue, self._pinned, table.quick
        outcomes = self._sender.outcomes
        done = outcomes.append
        record, memory = RECORD.pack_into, progress.memory
        begin = monotonic_ns()
        until = begin + _LOOK_NS
        while begin < until:
            try:
                call = (pinned or queue).popleft()
            except IndexError:  # the other thread has given back the last
                break
            known = quick.get(call[1]) if len(call) == 4 else None  # noqa: PLR2004 (none packed)
            if known is not None:
                try:
                    args = known[1](call[2])
                except KeyError:  # not all of them are there
                    known = None
            if known is None:
                done(stage.run(call))
                begin = monotonic_ns()
                continue
            ticket, steps = call[0], call[1]
            record(memory, 0, begin, ticket, steps[0], len(outcomes), begin)
            try:
                value = known[0](*args)
            except BaseException as error:  # noqa: BLE001 (SystemExit too ends the call only)
                done((ticket, [], [], pack_error(error), steps))
                begin = monotonic_ns()
                continue
            end = monotonic_ns()
            done((ticket, [value], [begin, end - begin], None, steps))
            begin = end
        progress.clear()
        return begin

    def _take_in(self, flags: int = 0) -> None:
        """Take in what the coordinator sends; without flags wait for it, if there is no work."""
        with self._door:
            if flags or not (self._queue or self._pinned):  # the other thread may have put some
                self._read(_ALL, flags)

    def _read(self, kinds: Container[Kind], flags: int) -> None:
        """Handle frames up to the first that is of another kind; all, if all may be handled."""
        if not self._frames:
            try:
                self._frames.extend(self._inbox.receive(flags))
            except BlockingIOError:
                return
        while self._frames:
            if self._frames[0].kind not in kinds:
                kept = [
                    frame._replace(payload=memoryview(bytes(frame.payload)))
                    for frame in self._frames
                ]
                self._frames = deque(kept)
                return
            self._handle(self._frames.popleft())

    def _handle(self, frame: Frame) -> None:
        sender = self._sender
        sender.seen(frame.seen)
        match frame.kind:
            case Kind.CALLS:
                try:
                    calls = pickle.loads(frame.payload)  # noqa: S301 (from our own process)
                except Exception:  # noqa: BLE001 (whatever a value does)
                    sender.send(Kind.AGAIN, number=frame.number)
                    return
                self._enqueue(calls)
            case Kind.HEAVY:
                self._take_packed(frame)
            case Kind.RELEASE:
                sender.loans.take_back(pickle.loads(frame.payload))  # noqa: S301 (as above)
            case Kind.FILE | Kind.CLOSE:
                self._take_file(frame.number, frame.kind)
            case Kind.RECIPES:
                self._learn(pickle.loads(frame.payload))  # noqa: S301 (as above)
            case Kind.FORGET:
                self._queue.clear()
                self._pinned.clear()
                sender.forget()
                sender.send(Kind.FORGET)
            case Kind.AGAIN:
                sender.send_again(frame.number)
            case Kind.STOP:
                self._stopping = True
            case _:
                raise ProtocolError(f"a worker is sent no {frame.kind.name}")

    def _learn(self, recipes: dict[int, tuple[str, bytes]]) -> None:
        if self._progress is None:
            raise ProtocolError("recipes came before the file")
        table = self._sender.table = Table(recipes)
        self._stateful = frozenset(
            step for step, recipe in table.recipes.items() if recipe.stateful
        )
        self._stage = Stage(table, self._progress.memory, self._sender.outcomes)
        self._sender.send(Kind.READY)

    def _take_file(self, number: int, kind: Kind) -> None:
        if kind is Kind.CLOSE:
            self._sources.pop(number, None)
            return
        descriptor = self._inbox.descriptors.popleft()
        if descriptor is None:  # calls that refer to it will be asked for again
            return
        with contextlib.suppress(OSError):  # there is no room, as above
            source = self._sources[number] = Source(descriptor)
            if number == self._number:
                self._progress = Progress(source.descriptor)
                self._sender.buffers = BufferPool(source.descriptor)

    def _take_packed(self, frame: Frame) -> None:
        ticket, steps, packed, epoch = pickle.loads(frame.payload)  # noqa: S301 (our own process)
        opened = {
            slot: (
                value,
                Lease(value.loan, self._sender.returns, self._sources.get(value.file))
                if value.file >= 0
                else None,
            )
            for slot, value in packed.items()
        }
        if any(lease is not None and lease.source is None for _, lease in opened.values()):
            # There was no room for the file. The leases end here, and so the loans will.
            self._sender.send(Kind.AGAIN, number=frame.number)
            return
        self._enqueue([(ticket, steps, None, epoch, opened)])

    def _enqueue(self, calls: list[tuple[Any, ...]]) -> None:
        if not self._stateful:
            self._queue.extend(calls)
            return
        for call in calls:
            own = self._queue if self._stateful.isdisjoint(call[1]) else self._pinned
            own.append(call)

    def _listen(self) -> None:
        """What the second thread does."""
        try:
            while wishes := self._bell.recv(64):
                if GIVE in wishes:
                    self._give_back()
                else:
                    self._sender.flush_small()
        finally:
            os._exit(1)  # the coordinator is gone; the main thread may be anywhere

    def _give_back(self) -> None:
        # If the main thread waits at the door it has no calls to give.
        if self._door.acquire(blocking=False):
            try:
                self._read(_ANY_TIME, socket.MSG_DONTWAIT)
            finally:
                self._door.release()
        given: list[int] = []
        with contextlib.suppress(IndexError):  # the main thread has begun the last
            for _ in range((len(self._queue) + 1) // 2):
                given.append(self._queue.pop()[0])  # noqa: PERF401 (kept if one is not there)
        self._sender.flush_small()
        self._sender.send(Kind.GIVEN, given[::-1])
