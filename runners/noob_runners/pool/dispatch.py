"""Calls on their way to a worker: many in one message, or each by itself with its values packed."""

from __future__ import annotations

import pickle
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.components import BufferPool
from noob_runners.components.shared_file import memory_file
from noob_runners.errors import UnpicklableError
from noob_runners.pool.packing import LARGE_BYTES, Packer, dump_small, has_large_bytes
from noob_runners.pool.parcel import Parcel
from noob_runners.pool.recipes import describe, signal_names, type_name
from noob_runners.pool.source import Source
from noob_runners.pool.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noob_runners.executor import Call
    from noob_runners.pool.member import Member
    from noob_runners.recipe import Recipe

__all__ = ["Dispatcher"]

_OURS = 0
"""The number of this process's own file."""


class Dispatcher:
    """Packs and sends calls."""

    def __init__(self, recipes: Mapping[int, Recipe]) -> None:
        self._recipes = recipes
        self._names = signal_names(recipes)
        self._source: Source | None = None
        self._buffers: BufferPool | None = None
        self.living: set[int] = set()
        """The numbers of the files of workers that live."""

    def send(self, member: Member, calls: list[Call]) -> list[tuple[Call, UnpicklableError]]:
        """Send calls to a worker; returns those that cannot be, and why."""
        begin = monotonic_ns()
        if self._send_small(member, calls, begin):
            return []
        failed: list[tuple[Call, UnpicklableError]] = []
        packer = Packer(self._own_buffers(), _OURS, member.loans)
        for call in calls:
            begin = monotonic_ns()
            if self._send_small(member, [call], begin):
                continue
            try:
                self._send_packed(member, call, packer, begin)
            except UnpicklableError as error:
                failed.append((call, error))
        return failed

    def send_in_band(self, member: Member, call: Call) -> None:
        """Send a call that a worker could not read, in the way that it can surely read.

        Raises:
            UnpicklableError: it cannot be sent.
        """
        self._send_packed(member, call, Packer(None, _OURS, member.loans), monotonic_ns())

    def _send_small(self, member: Member, calls: list[Call], begin: int) -> bool:
        """Send them as one pickle, unless something in them is large or cannot be pickled."""
        for call in calls:
            if Parcel in map(type, call[2].values()):
                return False
        try:
            payload = dump_small(calls)
        except Exception:  # noqa: BLE001 (whatever a value does)
            return False
        if len(payload) >= LARGE_BYTES and any(has_large_bytes(one[2].values()) for one in calls):
            return False
        batch = member.send_batch(Kind.CALLS, payload, calls, len(payload))
        batch.ns = (monotonic_ns() - begin) // len(calls)
        return True

    def _send_packed(self, member: Member, call: Call, packer: Packer, begin: int) -> None:
        ticket, steps, values, epoch = call
        packed = {}
        used: dict[int, Source] = {}
        for slot, value in values.items():
            try:
                packed[slot] = self._pack(value, packer, used)
            except Exception as error:
                member.loans.take_back([one.loan for one in packed.values()])
                what = describe(self._recipes, self._names, steps, slot)
                inner = value.open() if type(value) is Parcel else value
                raise UnpicklableError(
                    f"{what} is a {type_name(inner)}, which cannot be pickled: {error}"
                ) from error
        for number, source in used.items():
            if number not in member.known:
                member.introduce(number, source)
        payload = pickle.dumps((ticket, steps, packed, epoch), 5)
        nbytes = len(payload) + sum(value.length for value in packed.values())
        batch = member.send_batch(Kind.HEAVY, payload, [call], nbytes)
        for number in used.keys() - self.living - {_OURS}:
            # Nobody will say later that this one is not needed any more.
            member.known.discard(number)
            member.send(Kind.CLOSE, number=number)
        batch.ns = monotonic_ns() - begin

    def _pack(self, value: Any, packer: Packer, used: dict[int, Source]) -> Any:
        sealed = None
        if type(value) is Parcel:
            sealed = value.sealed() if packer.shares else None
            if sealed is None:
                value = value.open()
        if sealed is None:
            packed = packer.pack(value)
            if packed.file == _OURS and self._source is not None:
                used[_OURS] = self._source
            return packed
        packed, lease = sealed
        if lease.source is not None:
            used[packed.file] = lease.source
        return packer.lend(packed, lease)

    def _own_buffers(self) -> BufferPool | None:
        if self._buffers is None:
            try:
                self._source = Source(memory_file())
                self._buffers = BufferPool(self._source.descriptor)
            except OSError:  # no room for another file: then values go through the socket
                return None
        return self._buffers
