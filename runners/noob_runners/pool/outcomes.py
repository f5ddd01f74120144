"""What workers send, as results: opened, but for large values that may go on as they came."""

from __future__ import annotations

import pickle
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.errors import UnpicklableError
from noob_runners.executor import NOT_RUN, Result
from noob_runners.pool.failures import unpack_error
from noob_runners.pool.packing import Packed, unpack
from noob_runners.pool.parcel import Parcel
from noob_runners.pool.source import Lease
from noob_runners.pool.wire import Frame, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noob_runners.pool.batches import Costs
    from noob_runners.pool.member import Member
    from noob_runners.recipe import Recipe

__all__ = ["Reader"]

_new = tuple.__new__


class Reader:
    """Reads outcomes, learns from them what steps take, and makes results of them."""

    def __init__(self, recipes: Mapping[int, Recipe], costs: Costs) -> None:
        self._recipes = recipes
        self._costs = costs
        self.done: list[Result] = []
        """Results that nobody has taken yet."""

    def read_small(self, member: Member, frame: Frame, begin: int) -> None:
        """Read outcomes that came in one pickle, or ask for them again.

        Args:
            member: whose they are.
            frame: with the outcomes.
            begin: when receiving them began, by `time.monotonic_ns`.
        """
        try:
            outcomes = pickle.loads(frame.payload)  # noqa: S301 (it comes from our own process)
        except Exception:  # noqa: BLE001 (whatever a value does)
            member.send(Kind.AGAIN, number=frame.number)
            member.seen = frame.number
            return
        member.seen = frame.number
        if member.forgetting:
            return
        place, take_out, learn, done = member.place, member.take_out, self._costs.learn, self.done
        ns = (monotonic_ns() - begin) // len(outcomes)
        nbytes = len(frame.payload) // len(outcomes)
        busy, before = 0, len(done)
        for ticket, values, clock, failure, steps in outcomes:
            entry = take_out(ticket)
            if entry is None:
                continue
            batch = entry[1]
            busy += learn(steps, clock)
            error = None if failure is None else unpack_error(failure)
            way = (place, batch.ns + ns, batch.nbytes + nbytes)
            done.append(_new(Result, (ticket, values, clock, *way, error)))
        member.count.calls += len(done) - before
        member.count.busy_ns += busy

    def read_packed(self, member: Member, frame: Frame, begin: int) -> None:
        """Read one outcome whose values are packed; the arguments are `read_small`'s."""
        ticket, packed, clock, failure = pickle.loads(frame.payload)  # noqa: S301 (our own process)
        leases = [
            Lease(entry[1].loan, member.returns, member.source)
            if entry is not None and entry[1].file >= 0
            else None
            for entry in packed
        ]  # which are returned wherever they are not used
        entry = None if member.forgetting else member.take_out(ticket)
        if entry is None:
            return
        call, batch = entry
        values: list[Any] = []
        error = None if failure is None else unpack_error(failure)
        for step, item, lease in zip(call[1], packed, leases, strict=False):
            try:
                values.append(NOT_RUN if item is None else self._value(step, item, lease))
            except UnpicklableError as failed:
                error = failed
                clock = clock[: 2 * len(values)]
                break
        member.count.calls += 1
        member.count.busy_ns += self._costs.learn(call[1], clock)
        nbytes = len(frame.payload) + sum(item[1].length for item in packed if item is not None)
        ns = monotonic_ns() - begin
        self.done.append(
            Result(ticket, values, clock, member.place, batch.ns + ns, batch.nbytes + nbytes, error)
        )

    def fail(self, ticket: int, error: BaseException) -> None:
        """Make a result of a call that was not run."""
        self.done.append(Result(ticket, [], [], -1, 0, 0, error))

    def _value(self, step: int, item: tuple[bool, Packed], lease: Lease | None) -> Any:
        plain, packed = item
        recipe = self._recipes[step]
        name = " and ".join(f"{recipe.node_id}.{signal}" for signal in recipe.signals)
        if plain and lease is not None:
            return Parcel(packed, lease, name)
        try:
            return unpack(packed, lease)
        except Exception as error:
            raise UnpicklableError(
                f"what node {recipe.node_id!r} returned for {name} cannot be unpickled: {error!r}"
            ) from error
