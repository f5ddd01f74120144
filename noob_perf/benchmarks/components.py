"""The other native components: events stored and read, values encoded, buffers acquired.

FastScheduler is in `scheduler`. What is not there at a commit is skipped, as asv follows a history
that began without it.
"""

from __future__ import annotations

from typing import Any

from noob import Epoch

from noob_perf.measure.subjects.serializers import TABLE, make_value
from noob_runners import components

from .common import Sized


def component(name: str) -> Any:
    """Return a component's class.

    Raises:
        NotImplementedError: this commit has none, which asv takes for a benchmark to skip.
    """
    try:
        return getattr(components, name)
    except AttributeError:
        raise NotImplementedError(f"there is no {name}") from None


class Store(Sized):
    """FastEventStore, an epoch of one event a node, in batches."""

    def setup(self, nodes: int) -> None:
        """Make the events, and read them back once."""
        self.kind = component("FastEventStore")
        self.names = [f"n{node}" for node in range(nodes)]
        self.values = list(range(nodes))
        self.epoch = Epoch(0)
        self.store = self.add()
        assert self.get() == self.values

    def add(self) -> Any:
        """Return a store with all events."""
        store = self.kind()
        store.add_many(self.names, "value", self.values, self.epoch)
        return store

    def get(self) -> list[int]:
        """Return all values."""
        values: list[int] = self.store.get_many(self.names, "value", self.epoch)
        return values

    def time_add_many(self, _nodes: int) -> None:
        self.add()

    def time_get_many(self, _nodes: int) -> None:
        self.get()

    def peakmem_add_many(self, _nodes: int) -> None:
        self.add()


class Serializer(Sized):
    """FastSerializer, on a table of as many rows as nodes."""

    def setup(self, nodes: int) -> None:
        """Make the table, and see that it comes back."""
        self.serializer = component("FastSerializer")()
        self.value = make_value(TABLE, nodes)
        self.data = self.serializer.dumps(self.value)
        assert self.serializer.loads(self.data) == self.value

    def time_encode(self, _nodes: int) -> None:
        self.serializer.dumps(self.value)

    def time_decode(self, _nodes: int) -> None:
        self.serializer.loads(self.data)

    def peakmem_round_trip(self, _nodes: int) -> None:
        self.serializer.loads(self.serializer.dumps(self.value))


class Buffers(Sized):
    """BufferPool: buffers acquired and released, one after the other."""

    params = (64 * 2**10, 8 * 2**20)
    param_names = ("bytes",)
    number = 100

    def setup(self, nbytes: int) -> None:
        """Make a pool, and see that a reader finds what was written."""
        self.pool = component("BufferPool")()
        buffer = self.pool.acquire(nbytes)
        buffer.view[-3:] = b"end"
        reader = component("BufferReader")(self.pool.descriptor)
        assert bytes(reader.open(buffer.handle)[-3:]) == b"end"
        buffer.release()

    def time_acquire_and_release(self, nbytes: int) -> None:
        self.pool.acquire(nbytes).release()
