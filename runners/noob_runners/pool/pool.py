"""WorkerPool: an executor whose places are processes of this machine.

The pool knows which calls wait, which worker has which, and what to do when one of them ends. It
moves only while someone is in `submit` or `wait`; no thread of its own does that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import selectors
import weakref
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, Literal

from noob_runners.errors import ExecutorError, WorkerStartError
from noob_runners.pool.batches import Costs
from noob_runners.pool.feeder import Feeder
from noob_runners.pool.member import Count, Member, WorkerCount
from noob_runners.pool.outcomes import Reader
from noob_runners.pool.progress import Running
from noob_runners.pool.recipes import pack_recipes
from noob_runners.pool.verdicts import MOST_STRIKES, Judge
from noob_runners.pool.wire import Frame, Kind, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from noob_runners.executor import Call, Result
    from noob_runners.recipe import Recipe

__all__ = ["WorkerPool"]

_LONGEST_WAIT_S = 3600.0


class WorkerPool:
    """Runs calls in long-lived worker processes. For POSIX systems (Linux, macOS).

    A worker that dies is replaced, and its calls run again elsewhere, all but those of stateful
    steps, whose state is gone: see `noob_runners.errors` for what becomes of them. Values with
    large buffers go through shared memory and come back as `noob_runners.pool.Parcel`, not opened
    yet, where they may go on to other calls as they are.

    After ``os.fork()`` the child must not use it, and need not stop it.
    """

    def __init__(
        self,
        max_workers: int,
        *,
        start_method: Literal["spawn", "forkserver", "fork"] = "spawn",
        call_timeout: float | None = None,
    ) -> None:
        """Make a pool without workers yet.

        Args:
            max_workers: how many processes; at least 1.
            start_method: how they are started, see `multiprocessing`. With ``spawn`` and
                ``forkserver`` a script must protect its beginning by
                ``if __name__ == "__main__":``, for workers import it.
            call_timeout: seconds that one step may take before its worker is ended.

        Raises:
            ValueError: a number is too small, or there is no such method here.
        """
        methods = multiprocessing.get_all_start_methods()
        if start_method not in methods:
            raise ValueError(f"no start method {start_method!r} here; one of {', '.join(methods)}")
        if max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        if call_timeout is not None and call_timeout <= 0:
            raise ValueError(f"call_timeout must be more than 0 seconds, not {call_timeout}")
        self._context: Any = multiprocessing.get_context(start_method)
        if start_method == "forkserver":
            self._context.set_forkserver_preload(["noob_runners.pool.worker"])
        self._limit_s = call_timeout
        self._counts = [Count() for _ in range(max_workers)]
        self._members: list[Member] = []
        self._pid = 0

    @property
    def capacity(self) -> int:
        """How many workers are ready."""
        return sum(member.ready_ns > 0 for member in self._members)

    def workers(self) -> tuple[WorkerCount, ...]:
        """What each worker has done since it was first started, by number, also after `stop`."""
        for member in self._members:
            member.tally()
        return tuple(count.frozen() for count in self._counts)

    def start(self, recipes: Mapping[int, Recipe]) -> Mapping[int, Exception]:
        """Begin to start the workers; they come up while other things go on.

        Args:
            recipes: by number, all steps that may be asked for.

        Returns:
            The steps whose recipes cannot be pickled, each with an `UnpicklableError`.

        Raises:
            WorkerStartError: it is called by a worker that imports the main script.
            OSError: there is no room for sockets, memory or processes.
        """
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise WorkerStartError(
                "This process is a worker that is just importing the main script, and the script "
                f"starts workers. {_GUARD}"
            )
        self.stop()
        packed, refused = pack_recipes(recipes)
        self._packed = pickle.dumps(packed, 5)
        self._judge = Judge(recipes)
        costs = Costs()
        self._reader = Reader(recipes, costs)
        self._feeder = Feeder(recipes, costs, self._reader)
        self._early_deaths = 0
        self._moved_ns = monotonic_ns()
        self._next_number = 0
        self._failure: WorkerStartError | None = None
        self._selector = selectors.DefaultSelector()
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, _end_all, self._members, self._pid)
        try:
            for place in range(len(self._counts)):
                self._members.append(self._launch(place))
        except BaseException:
            self.stop()
            raise
        return refused

    def submit(self, calls: Iterable[Call]) -> None:
        """Take calls, to be run in this order where there is a choice.

        Raises:
            ExecutorError: it is not started in this process.
        """
        self._check()
        plain: Any = [call if type(call) is tuple else tuple(call) for call in calls]
        self._feeder.take(plain, self._members)
        self._feeder.feed(self._members)

    def wait(self, timeout_s: float) -> list[Result]:
        """Results that have come; waits until there is one, or for so long.

        Raises:
            WorkerStartError: workers end before they are ready.
            ExecutorError: it is not started in this process.
        """
        self._check()
        end = monotonic() + timeout_s
        while True:
            left = 0.0 if self._reader.done else end - monotonic()
            self._move(max(left, 0.0))
            if self._reader.done:
                done = self._reader.done[:]
                self._reader.done.clear()
                self._judge.acquit(result.ticket for result in done)
                return done
            if self._failure is not None:
                raise self._failure
            if left <= 0:
                return []

    def forget(self) -> None:
        """Drop all calls. A worker that is in the middle of one is busy until it has ended."""
        if os.getpid() != self._pid:
            return
        self._feeder.forget()
        self._reader.done.clear()
        self._judge.forget()
        for member in self._members:
            member.forget()

    def stop(self) -> None:
        """End the workers, and leave nothing behind. May be called again, and before `start`.

        A worker has a second to end what it is at, and ten if a stateful node is to end.
        """
        if os.getpid() != self._pid:
            self._members = []
            return
        try:
            self._stop_gently()
        finally:  # also if someone has lost patience
            for member in self._members:
                member.tally()
            self._finalizer()
            self._selector.close()
            self._pid = 0

    def _stop_gently(self) -> None:
        """Let the workers that are ready end by themselves, as long as they may take."""
        end = monotonic() + max((member.stop() for member in self._members), default=0.0)
        left = {member for member in self._members if member.ready_ns}
        while left and (time_left := end - monotonic()) > 0:
            for key, _ in self._selector.select(time_left):
                if key.data.drain():
                    self._selector.unregister(key.fileobj)
                    left.discard(key.data)
        for member in self._members:
            if member in left or not member.ready_ns:
                member.process.terminate()
        for member in self._members:
            member.process.end(1.0)

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise ExecutorError(
                "this pool is not started" if not self._pid else "this pool is another process's"
            )

    def _launch(self, place: int) -> Member:
        self._next_number += 1
        number = self._next_number
        member = Member(self._context, self._selector, place, number, self._counts[place])
        self._feeder.dispatcher.living.add(number)
        member.send(Kind.RECIPES, self._packed)
        return member

    def _move(self, timeout_s: float) -> None:
        """Wait for sockets, but not longer than until the next call is overdue; do what is due."""
        timeout_s = min(timeout_s, self._end_overdue(), _LONGEST_WAIT_S)
        if look_ns := self._feeder.look_ns:
            timeout_s = min(timeout_s, max(0, look_ns - monotonic_ns()) / 1e9)
        for key, events in self._selector.select(timeout_s):
            member: Member = key.data
            if member.ended:  # it was seen to end a moment ago
                continue
            if events & selectors.EVENT_WRITE:
                member.flush()
            if events & selectors.EVENT_READ:
                self._read(member, key.fileobj)
        self._feeder.feed(self._members)
        self._moved_ns = monotonic_ns()

    def _read(self, member: Member, what: object) -> None:
        begin = monotonic_ns()
        try:
            for frame in member.receive():
                self._handle(member, frame, begin)
        except BlockingIOError:
            if what == member.sentinel:
                self._lose(member)
        except (EOFError, OSError):
            self._lose(member)

    def _handle(self, member: Member, frame: Frame, begin: int) -> None:
        match frame.kind:
            case Kind.RESULTS:
                self._reader.read_small(member, frame, begin)
            case Kind.HEAVY:
                self._reader.read_packed(member, frame, begin)
            case Kind.RELEASE:
                member.loans.take_back(pickle.loads(frame.payload))  # noqa: S301 (our own process)
            case Kind.GIVEN:
                member.asked = False
                tickets = pickle.loads(frame.payload)  # noqa: S301 (our own process)
                entries = [entry for t in tickets if (entry := member.take_out(t)) is not None]
                member.generous = bool(entries)
                self._feeder.take_back([call for call, _ in entries])
            case Kind.AGAIN:
                self._feeder.send_again(member, frame.number)
            case Kind.FORGET:
                member.forgetting = False
            case Kind.READY:
                self._early_deaths = 0
                member.be_ready()
            case _:
                raise ProtocolError(f"a coordinator is sent no {frame.kind.name}")

    def _end_overdue(self) -> float:
        """End workers whose step takes too long; returns seconds until the next might."""
        if self._limit_s is None:
            return _LONGEST_WAIT_S
        limit = int(self._limit_s * 1e9)
        soonest = limit
        now = monotonic_ns()
        away = now - self._moved_ns  # in which nobody listened
        for member in list(self._members):
            member.heard_ns += away
            if not member.calls and not member.forgetting:
                continue
            running = member.progress.read()
            left = (member.heard_ns if running is None else running.begun) + limit - now
            if left > 0:
                soonest = min(soonest, left)
            else:
                member.process.kill()
                self._lose(member, running, stuck=running is None)
        return soonest / 1e9 + 0.001

    def _lose(self, member: Member, overdue: Running | None = None, *, stuck: bool = False) -> None:
        """A worker has died: see to its calls, and start another in its place.

        Args:
            member: the worker.
            overdue: the step that it was ended for.
            stuck: whether it was ended because it took too long between steps: to open what it was
                given, or to pack what it has. Its first call is taken for the culprit.
        """
        why = member.process.end(1.0)
        begin = monotonic_ns()
        with contextlib.suppress(ProtocolError):  # what it has said well before still counts
            for frame in member.last_frames():
                self._handle(member, frame, begin)
        running = member.progress.read()
        self._feeder.homes.lose(member)
        again: list[Call] = []
        for at, (call, _) in enumerate(member.calls.values()):
            culprit = running if running is not None and running.ticket == call[0] else None
            if stuck and at == 0:
                culprit = Running(0, call[0], call[1][0], 0)
            error: ExecutorError | None
            if culprit is not None and culprit == overdue and self._limit_s is not None:
                error = self._judge.overdue(call, culprit, self._limit_s)
            else:
                error = self._feeder.homes.lost_error(member.initialised.intersection(call[1]))
                if error is None and culprit is not None and overdue is None:
                    error = self._judge.strike(call, culprit, why)
            if error is None:
                again.append(call)
            else:
                self._reader.fail(call[0], error)
        self._feeder.take_back(again)
        self._replace(member, why)

    def _replace(self, member: Member, why: str) -> None:
        number = member.number
        self._feeder.dispatcher.living.discard(number)
        member.tally()
        member.close()
        for other in self._members:
            if other is not member and number in other.known:
                other.known.discard(number)
                other.send(Kind.CLOSE, number=number)
        if not member.ready_ns:
            self._early_deaths += 1
            if self._early_deaths == MOST_STRIKES:
                self._failure = WorkerStartError(
                    f"{MOST_STRIKES} workers in a row have ended before they were ready; the last: "
                    f"{why}. {_GUARD}"
                )
        if self._failure is not None:
            self._members.remove(member)
            return
        try:
            fresh = self._launch(member.place)
        except OSError as error:
            self._failure = WorkerStartError(f"a worker cannot be started: {error}")
            self._members.remove(member)
            return
        self._members[self._members.index(member)] = fresh
        self._feeder.take(member.pinned, self._members)


_GUARD = (
    'A script that starts workers must do so below `if __name__ == "__main__":`, because each '
    "worker imports it."
)


def _end_all(members: list[Member], pid: int) -> None:
    """End the workers of a pool, whatever they are at, and close what is left of them."""
    if os.getpid() == pid:
        for member in members:
            member.process.kill()
        while members:
            members[-1].process.end(1.0)
            members.pop().close()
