"""BufferPool's memory: how much it takes, when it is given back, and by which node it is used."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from noob_runners.components import buffer_reader_py, buffers_py
from noob_runners.components.shared_file import FRONT, MEMORY

sys.path.append(str(Path(__file__).parent))
from buffer_help import IMPLEMENTATIONS, LINUX, taken

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=IMPLEMENTATIONS)
def buffers(request) -> Any:
    return request.param


@pytest.fixture
def pool(buffers) -> Any:
    with buffers.BufferPool() as pool:
        yield pool


@pytest.fixture
def reader(buffers, pool) -> Any:
    with buffers.BufferReader(pool.descriptor) as reader:
        yield reader


def test_memory_is_that_of_the_buffers_to_less_than_a_hundredth(pool):
    for nbytes in (8 << 20, (8 << 20) + 12_345, 5_000_000, 1_000_001):
        held = [pool.acquire(nbytes) for _ in range(5)]
        for buffer in held:
            buffer.view[:] = b"x" * nbytes
        stats = pool.stats()
        assert stats["asked"] == 5 * nbytes
        assert stats["live"] < 1.01 * stats["asked"]
        assert taken(pool) <= stats["reserved"]
        if LINUX:
            assert taken(pool) == stats["reserved"] - FRONT
            assert taken(pool) - stats["spare"] < 1.01 * stats["asked"]
        del held, buffer
        pool.trim()
        assert pool.stats()["live"] == 0
        if LINUX:
            assert pool.stats()["spare"] == 0
            assert taken(pool) < 100_000


def test_of_mixed_sizes_each_takes_its_pages_and_no_more(pool):
    random = Random(1)
    for least, most, turns in ((40_000, 1 << 20, 400), (1 << 20, 8 << 20, 60)):
        held = [pool.acquire(random.randint(least, most)) for _ in range(10)]
        for turn in range(turns):
            held[turn % 10].release()
            held[turn % 10] = pool.acquire(random.randint(least, most))
            pages = [-(-len(buffer) // FRONT) * FRONT for buffer in held]
            assert pool.stats()["live"] == sum(pages)
        spans = sorted((one.handle.offset, one.handle.offset + len(one)) for one in held)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
        for number, buffer in enumerate(held):
            buffer.view[:1] = buffer.view[-1:] = bytes([number])
        ends = [(buffer.view[0], buffer.view[-1]) for buffer in held]
        assert ends == [(number, number) for number in range(10)]
        if LINUX:
            assert taken(pool) == pool.stats()["reserved"] - FRONT
        del held, buffer


def test_free_pieces_that_touch_are_one_but_no_buffer_lies_in_two_parts_of_the_file(pool, reader):
    part = 64 << 20
    held = [pool.acquire(part // 4) for _ in range(8)]
    offsets = [buffer.handle.offset for buffer in held]
    assert offsets == list(range(offsets[0], offsets[0] + 2 * part, part // 4))
    del held
    pool.acquire(part + 1).view[-1:] = b"x"
    held = [pool.acquire(part) for _ in range(2)]
    assert {buffer.handle.offset for buffer in held} == {offsets[0], offsets[4]}
    for buffer in held:
        buffer.view[-1:] = b"y"
        assert bytes(reader.open(buffer.handle)[-1:]) == b"y"


def test_small_ones_share_memory(pool):
    for nbytes in (100, 1000, 5000, 20_000):
        number = 4_000_000 // nbytes
        held = [pool.acquire(nbytes) for _ in range(number)]
        stats = pool.stats()
        # (An eighth, or what is missing to 64 bytes; a tenth at the end of a slab; one slab.)
        most = stats["asked"] * max(1.125, -(-nbytes // 64) * 64 / nbytes) * 1.1 + (256 << 10)
        assert stats["live"] <= most
        spans = sorted((one.handle.offset, one.handle.offset + nbytes) for one in held)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
        del held
        assert pool.stats()["live"] == 0


def test_use_again_and_again_takes_no_more_memory(pool):
    for _ in range(300):
        pool.acquire(1 << 20).view[:] = b"x" * (1 << 20)
    assert pool.stats()["spare"] == 1 << 20
    assert taken(pool) < 2 << 20 or not LINUX


def test_a_range_freed_last_is_used_first(pool):
    first, second = pool.acquire(100_000), pool.acquire(100_000)
    offset = first.handle.offset
    second.release()
    first.release()
    assert pool.acquire(99_000).handle.offset == offset


def test_as_much_memory_is_kept_as_was_in_use_lately(pool):
    held = [pool.acquire(1 << 20) for _ in range(100)]
    assert pool.stats()["live"] == 100 << 20
    held.clear()
    assert pool.stats() | {"reserved": 0} == {
        "buffers": 0,
        "asked": 0,
        "live": 0,
        "spare": 100 << 20,
        "reserved": 0,
    }


@pytest.mark.skipif(not LINUX, reason="memory is given back on Linux only")
def test_memory_is_given_back_those_first_that_were_not_used_for_longest(buffers):
    pool = buffers.BufferPool(keep_seconds=0.0, spare_bytes=32 << 20)
    held = [pool.acquire(1 << 20) for _ in range(100)]
    last = held[-1].handle.offset
    for _ in range(len(held)):
        held.pop(0).view[:2] = b"xx"
    for _ in range(5):  # as often as the mark is halved
        pool.acquire(1 << 20)
    assert pool.stats()["live"] == 0
    assert pool.stats()["spare"] <= 32 << 20
    assert taken(pool) <= 33 << 20
    buffer = pool.acquire(1 << 20)
    assert buffer.handle.offset == last
    assert bytes(buffer.view[:2]) == b"xx"
    pool.trim()
    assert taken(pool) < 2 << 20


def test_without_room_nothing_is_taken_and_later_it_is(pool, reader):
    for nbytes in (MEMORY + 1, 1 << 47, 1 << 62):
        with pytest.raises(OSError, match=f"no room for {nbytes} bytes: {MEMORY} are") as refused:
            pool.acquire(nbytes)
        assert refused.value.errno == errno.ENOMEM
    for nonsense in (-1, 1 << 64):
        with pytest.raises((OverflowError, OSError)):
            pool.acquire(nonsense)
    for nonsense in (1.5, "1", None):
        with pytest.raises(TypeError):
            pool.acquire(nonsense)
    assert pool.stats()["live"] == 0
    buffer = pool.acquire(100_000)
    reader.check(buffer.handle)


@pytest.mark.skipif(not LINUX, reason="the limit does not hold for files in memory elsewhere")
def test_a_file_that_cannot_grow_is_no_harm(pool, reader):
    kept = pool.acquire(100_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError) as refused:  # noqa: PT011 (the system's own words)
            pool.acquire(200 << 20)
        assert refused.value.errno == errno.EFBIG
        assert pool.stats()["buffers"] == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    buffer = pool.acquire(200 << 20)
    reader.check(buffer.handle)
    reader.check(kept.handle)


@pytest.mark.skipif(not LINUX, reason="how much is mapped is read in /proc")
def test_memory_that_cannot_be_mapped_is_no_harm(pool, reader):
    pool.acquire(1)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (100 << 20), limits[1]))
    try:
        with pytest.raises(OSError) as refused:  # noqa: PT011 (the system's own words)
            pool.acquire(300 << 20)
        assert refused.value.errno == errno.ENOMEM
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    for nbytes in (100_000, 70 << 20, 100_000):
        buffer = pool.acquire(nbytes)
        buffer.view[-1:] = b"x"
        assert bytes(reader.open(buffer.handle)[-1:]) == b"x"


def test_memory_that_is_refused_is_no_harm(monkeypatch):
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    pool = buffers_py.BufferPool()
    for nbytes in (100, 100_000):
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", full, raising=False)
            with pytest.raises(OSError, match="no memory for") as refused:
                pool.acquire(nbytes)
            assert refused.value.errno == errno.ENOSPC
        assert pool.stats()["live"] == pool.stats()["buffers"] == 0
        pool.acquire(nbytes).view[:] = b"x" * nbytes


def test_the_twin_makes_do_with_a_temporary_file(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.delattr(mmap, "MADV_REMOVE", raising=False)
    pool = buffers_py.BufferPool()
    buffer = pool.acquire(100_000)
    buffer.view[:3] = b"abc"
    assert os.fstat(pool.descriptor).st_nlink == 0
    assert bytes(buffers_py.BufferReader(pool.descriptor).open(buffer.handle)[:3]) == b"abc"
    buffer.release()
    pool.trim()
    assert pool.stats()["spare"] > 0


def test_the_twin_copies_where_it_has_too_many_mappings(monkeypatch):
    monkeypatch.setattr(buffer_reader_py, "_TRACKS", True)
    monkeypatch.setattr(buffer_reader_py, "_MOST_MAPPED", 0)
    pool = buffers_py.BufferPool()
    buffer = pool.acquire(100_000)
    buffer.view[:] = b"x" * 100_000
    view = buffers_py.BufferReader(pool.descriptor).open(buffer.handle, private=True)
    assert type(view.obj) is bytearray
    view[:1] = b"y"
    assert bytes(view) == b"y" + b"x" * 99_999
    assert bytes(buffer.view[:1]) == b"x"


# Memory by node


def tree(root: Path, nodes: dict[str, str]) -> Path:
    for name, cpus in nodes.items():
        (root / name).mkdir()
        (root / name / "cpulist").write_text(cpus + "\n")
    return root


@pytest.fixture
def pinned():
    """Runs this thread on one processor at a time."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("threads cannot be kept on one processor")
    cpus = os.sched_getaffinity(0)
    yield SimpleNamespace(cpus=sorted(cpus), on=lambda cpu: os.sched_setaffinity(0, {cpu}))
    os.sched_setaffinity(0, cpus)


def test_memory_is_that_of_the_node_that_asks_for_it(buffers, tmp_path, pinned):
    here, *others = pinned.cpus
    there = ",".join(map(str, others)) or str(here + 1)
    nodes = {"node2": str(here), "node5": there, "node7": "", "power": "", "nodes": "1"}
    pool = buffers.BufferPool(numa=tree(tmp_path, nodes))
    homes: dict[int, int] = {}
    for nbytes in (100, 100_000):
        places = {}
        for _ in range(2):
            for cpu, node in [(here, 2), *((cpu, 5) for cpu in others)]:
                pinned.on(cpu)
                buffer = pool.acquire(nbytes)
                assert buffer.node == node
                # A node's memory is used again, and by that node only.
                assert places.setdefault(node, buffer.handle.offset) == buffer.handle.offset
                assert homes.setdefault(buffer.handle.offset // FRONT, node) == node
                del buffer
        assert len(set(places.values())) == len(places) == (2 if others else 1)


@pytest.mark.parametrize("nodes", [{}, {"node3": "0-127"}, {"node0": "0-127", "node1": ""}])
def test_one_node_is_plain(buffers, tmp_path, nodes):
    pool = buffers.BufferPool(numa=str(tree(tmp_path, nodes)))
    assert pool.acquire(100).node == 0
