"""Values as bytes, large ones in shared memory."""

from __future__ import annotations

import errno
import gc
import os
import pickle
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

from noob_runners.components import BufferPool, UseAfterFreeError
from noob_runners.components.shared_file import memory_file
from noob_runners.pool import Parcel
from noob_runners.pool.packing import (
    LARGE_BYTES,
    LargeBufferError,
    Loans,
    Packer,
    dump_small,
    unpack,
)
from noob_runners.pool.source import Lease, Source

pytestmark = pytest.mark.timeout(120)


class _Post:
    """Both ends of a connection, in one process."""

    def __init__(self) -> None:
        self.source = Source(memory_file())
        self.pool = BufferPool(self.source.descriptor)
        self.loans = Loans()
        self.returns: deque[int] = deque()

    def packer(self) -> Packer:
        return Packer(self.pool, 5, self.loans)

    def lease(self, packed) -> Lease | None:
        if packed.file < 0:
            return None
        return Lease(packed.loan, self.returns, self.source)

    def settle(self) -> None:
        gc.collect()
        numbers = [self.returns.popleft() for _ in range(len(self.returns))]
        self.loans.take_back(numbers)

    @property
    def live(self) -> int:
        return self.pool.stats()["live"]


@pytest.fixture
def post() -> _Post:
    return _Post()


def test_a_lease_lives_as_long_as_anything_that_looks_at_its_value(post):
    packed = post.packer().pack(np.arange(100_000))
    value = unpack(packed, post.lease(packed))[50:60]
    gc.collect()
    assert not post.returns
    assert value.tolist() == list(range(50, 60))
    del value
    gc.collect()
    assert list(post.returns) == [packed.loan]


def test_who_gets_a_value_changes_it_for_itself_only(post):
    packer = post.packer()
    value = np.zeros(100_000)
    one, other = (
        unpack(packed, post.lease(packed)) for packed in (packer.pack(value), packer.pack(value))
    )
    one[:] = 7
    assert not value.any()
    assert not other.any()


def test_a_file_is_open_as_long_as_anybody_looks_at_a_value():
    post = _Post()
    packed = post.packer().pack(np.arange(100_000))
    value = unpack(packed, post.lease(packed))
    descriptor = post.source.descriptor
    del post
    gc.collect()
    assert value[-1] == 99_999
    os.fstat(descriptor)
    del value
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_value_that_was_released_is_not_taken_for_another(post):
    packed = post.packer().pack(np.arange(100_000))
    lease = post.lease(packed)
    post.loans.clear()
    post.packer().pack(np.arange(100_000) + 1)
    with pytest.raises(UseAfterFreeError, match=f"generation {packed.handle[3]}"):
        unpack(packed, lease)


def test_a_file_that_there_is_no_room_for_is_closed(monkeypatch):
    def refuse(_: int) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("noob_runners.pool.source.BufferReader", refuse)
    descriptor = memory_file()
    with pytest.raises(OSError, match="too many open files"):
        Source(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_small_values_stay_in_band():
    assert pickle.loads(dump_small([np.arange(3), 4]))[0].tolist() == [0, 1, 2]
    with pytest.raises(LargeBufferError):
        dump_small([np.zeros(8192)])
    dump_small([np.zeros(8191)])


@pytest.mark.parametrize(
    "value",
    [
        np.arange(20_000.0),
        np.arange(40_000).reshape(200, 200),
        np.asfortranarray(np.arange(40_000).reshape(200, 200)),
        b"x" * LARGE_BYTES,
        bytearray(b"x" * 100_000),
        "text" * 100_000,
        None,
    ],
    ids=["array", "rows", "columns", "bytes", "bytearray", "text", "none"],
)
def test_a_value_arrives_as_it_was(post, value):
    packed = post.packer().pack(value)
    assert packed.nbytes > 0
    got = unpack(packed, post.lease(packed))
    assert type(got) is type(value)
    assert np.array_equal(got, value)
    if isinstance(value, np.ndarray):
        assert packed.file == 5
        assert got.flags.f_contiguous == value.flags.f_contiguous
        assert got.flags.writeable
        assert got.ctypes.data % 64 == 0
    del got
    post.settle()
    assert len(post.loans) == 0
    assert post.live == 0


def test_several_buffers_share_one_range_each_aligned_and_as_writable_as_before(post):
    locked = np.arange(10_000)
    locked.flags.writeable = False
    value = {"a": np.arange(9_000.0), "b": [locked, np.arange(5)], "c": np.ones(8_193)}
    packed = post.packer().pack(value)
    assert len(packed.cuts) == 3
    got = unpack(packed, post.lease(packed))
    assert got["a"].tolist() == value["a"].tolist()
    assert got["b"][0].tolist() == locked.tolist()
    assert not got["b"][0].flags.writeable
    assert got["a"].flags.writeable
    for array in (got["a"], got["b"][0], got["c"]):
        assert array.ctypes.data % 64 == 0


def test_an_object_is_stored_once_a_message_and_lives_as_long_as_its_last_reader(post):
    packer = post.packer()
    array = np.arange(100_000.0)
    first, second = packer.pack(array), packer.pack(array)
    assert first.handle == second.handle
    assert first.loan != second.loan
    one, two = unpack(first, post.lease(first)), unpack(second, post.lease(second))
    del packer, one
    post.settle()
    assert post.live > 0
    assert two[99_999] == 99_999
    del two
    post.settle()
    assert post.live == 0


def test_without_shared_memory_values_stay_in_band(post):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    post.pool = SimpleNamespace(acquire=full)
    for value in (np.arange(100_000.0), b"x" * LARGE_BYTES):
        packed = post.packer().pack(value)
        assert packed.file == -1
        assert np.array_equal(unpack(packed, None), value)


def test_a_parcel_is_opened_once_and_then_passed_on_as_its_value(post):
    packed = post.packer().pack(np.arange(100_000.0))
    parcel = Parcel(packed, post.lease(packed), "a.value")
    assert parcel.nbytes == packed.nbytes
    assert parcel.sealed() is not None
    value = parcel.open()
    assert parcel.open() is value
    assert parcel.sealed() is None
    assert np.array_equal(pickle.loads(pickle.dumps([parcel]))[0], value)


def test_a_parcel_that_nobody_opens_is_returned(post):
    packed = post.packer().pack(np.arange(100_000.0))
    parcel = Parcel(packed, post.lease(packed), "a.value")
    del parcel
    post.settle()
    assert post.live == 0
