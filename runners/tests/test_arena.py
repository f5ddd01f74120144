"""Shared memory, and values in it."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import pickle
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noob_runners.pool import Parcel, arena
from noob_runners.pool.arena import FRONT, Arena, Lease, Source, memory_file
from noob_runners.pool.packing import (
    LARGE_BYTES,
    LargeBufferError,
    Loans,
    Packer,
    dump_small,
    unpack,
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def memory() -> Arena:
    return Arena(Source(memory_file()))


def _store(memory: Arena, *pieces: bytes):
    stored = memory.store([memoryview(piece) for piece in pieces])
    assert stored is not None
    return stored


def _read(memory: Arena, offset: int, length: int) -> bytes:
    return os.pread(memory.source.descriptor, length, offset)


def test_what_is_stored_can_be_read_at_aligned_places(memory):
    pieces = [os.urandom(size) for size in (1, 64, 65, 100_000, 0, 7)]
    lease, length, starts = _store(memory, *pieces)
    view = memoryview(memory.source.view(lease, lease.number, length))
    address = np.frombuffer(view, dtype=np.uint8).ctypes.data
    for start, piece in zip(starts, pieces, strict=True):
        assert view[start : start + len(piece)] == piece
        assert (address + start) % 64 == 0
    assert lease.number >= FRONT


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(1, 300_000),  # store so many bytes
            st.integers(-20, -1),  # release one of those stored
        ),
        max_size=60,
    )
)
def test_ranges_in_use_never_overlap_and_all_come_back(moves):
    memory = Arena(Source(memory_file()))
    live: list[tuple[Lease, int, bytes]] = []
    lease = None
    for move in moves:
        if move < 0:
            if live:
                live.pop(move % len(live))
            continue
        piece = os.urandom(8) * (move // 8 + 1)
        lease, length, _ = _store(memory, piece)
        live.append((lease, length, piece))
        spans = sorted((lease.number, lease.number + length) for lease, length, _ in live)
        for (_, end), (begin, _) in pairwise(spans):
            assert end <= begin
    for lease, _, piece in live:
        assert _read(memory, lease.number, len(piece)) == piece
    live.clear()
    del lease
    assert memory.live == 0


def test_a_range_freed_last_is_used_first(memory):
    first, second = (_store(memory, b"x" * 100_000)[0] for _ in range(2))
    offsets = first.number, second.number
    del second
    del first
    assert _store(memory, b"y" * 70_000)[0].number == offsets[0]


def test_as_much_memory_is_kept_as_was_in_use_lately(memory):
    leases = [_store(memory, b"x" * (1 << 20))[0] for _ in range(100)]
    leases.clear()
    assert memory.live == 0
    assert memory.spare == 100 << 20


def test_memory_is_given_back(memory, monkeypatch):
    monkeypatch.setattr("noob_runners.pool.arena._KEEP_S", 0.0)
    leases = [_store(memory, b"x" * (1 << 20))[0] for _ in range(100)]
    taken = os.fstat(memory.source.descriptor).st_blocks * 512
    assert taken >= 100 << 20
    assert memory.live == 100 << 20
    leases.clear()
    assert memory.live == 0
    assert memory.spare <= 32 << 20
    if hasattr(mmap, "MADV_REMOVE"):
        assert os.fstat(memory.source.descriptor).st_blocks * 512 <= 33 << 20
    assert _read(memory, _store(memory, b"z" * (1 << 20))[0].number, 3) == b"zzz"


def test_use_again_and_again_takes_no_more_memory(memory):
    for _ in range(300):
        _store(memory, b"x" * (1 << 20))
    assert memory.spare <= 2 << 20


def test_without_room_nothing_is_stored_and_later_it_is(memory, monkeypatch):
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full, raising=False)
        assert memory.store([memoryview(b"x" * 100_000)]) is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", full)
        assert memory.store([memoryview(b"x" * (200 << 20))]) is None
    assert memory.live == 0
    lease, _, _ = _store(memory, b"x" * 100_000)
    assert _read(memory, lease.number, 3) == b"xxx"


@pytest.mark.parametrize("most", [0, 256])
def test_a_reader_changes_its_own_copy_only(memory, monkeypatch, most):
    monkeypatch.setattr(arena, "_MOST_MAPPED", most)
    lease, length, _ = _store(memory, b"x" * 100_000)
    one, other = (memory.source.view(lease, lease.number, length) for _ in range(2))
    memoryview(one)[:3] = b"abc"
    assert bytes(memoryview(one)[:4]) == b"abcx"
    assert bytes(memoryview(other)[:4]) == b"xxxx"
    assert _read(memory, lease.number, 4) == b"xxxx"


def test_a_lease_lives_as_long_as_anything_that_looks_at_its_range(memory):
    lease, length, _ = _store(memory, b"x" * 100_000)
    ended: deque[int] = deque()
    borrowed = Lease(7, ended, memory.source)
    view = memory.source.view(borrowed, lease.number, length)
    if not isinstance(view, mmap.mmap):
        pytest.fail("it was copied")
    array = np.frombuffer(view, dtype=np.uint8)[50:60]
    del borrowed, view
    gc.collect()
    assert not ended
    assert bytes(array) == b"x" * 10
    del array
    gc.collect()
    assert list(ended) == [7]


def test_a_view_outlives_the_file():
    memory = Arena(Source(memory_file()))
    lease, length, _ = _store(memory, b"x" * 100_000)
    descriptor = memory.source.descriptor
    view = memory.source.view(Lease(1, deque()), lease.number, length)
    del memory, lease
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert bytes(memoryview(view)[:3]) == b"xxx"


def test_no_file_has_a_name():
    before = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else set()
    memory = Arena(Source(memory_file()))
    lease, _, _ = _store(memory, b"x" * 100_000)
    if before or Path("/dev/shm").is_dir():
        assert set(Path("/dev/shm").iterdir()) <= before
    assert os.fstat(memory.source.descriptor).st_nlink == 0
    assert lease.number >= FRONT


def test_a_temporary_file_serves_where_there_are_none_in_memory(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    memory = Arena(Source(memory_file()))
    lease, length, _ = _store(memory, b"x" * 100_000)
    assert os.fstat(memory.source.descriptor).st_nlink == 0
    assert bytes(memory.source.view(lease, lease.number, length)[:3]) == b"xxx"


# Values


class _Post:
    """Both ends of a connection, in one process."""

    def __init__(self) -> None:
        self.arena = Arena(Source(memory_file()))
        self.loans = Loans()
        self.returns: deque[int] = deque()

    def packer(self) -> Packer:
        return Packer(self.arena, 5, self.loans)

    def lease(self, packed) -> Lease | None:
        if packed.arena < 0:
            return None
        return Lease(packed.loan, self.returns, self.arena.source)

    def settle(self) -> None:
        gc.collect()
        numbers = [self.returns.popleft() for _ in range(len(self.returns))]
        self.loans.take_back(numbers)


@pytest.fixture
def post() -> _Post:
    return _Post()


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
        assert packed.arena == 5
        assert got.flags.f_contiguous == value.flags.f_contiguous
        assert got.flags.writeable
        assert got.ctypes.data % 64 == 0
    del got
    post.settle()
    assert len(post.loans) == 0
    assert post.arena.live == 0


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
    assert first.offset == second.offset
    assert first.loan != second.loan
    one, two = unpack(first, post.lease(first)), unpack(second, post.lease(second))
    del packer, one
    post.settle()
    assert post.arena.live > 0
    assert two[99_999] == 99_999
    del two
    post.settle()
    assert post.arena.live == 0


def test_without_shared_memory_values_stay_in_band(post, monkeypatch):
    monkeypatch.setattr(post.arena, "store", lambda _: None)
    for value in (np.arange(100_000.0), b"x" * LARGE_BYTES):
        packed = post.packer().pack(value)
        assert packed.arena == -1
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
    assert post.arena.live == 0
