"""BufferPool and its twin: buffers by handle, in one process."""

from __future__ import annotations

import errno
import gc
import importlib
import mmap
import os
import pickle
import resource
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from noob_runners.components import buffers_py
from noob_runners.components.shared_file import FRONT, memory_file

pytestmark = pytest.mark.timeout(120)

LINUX = hasattr(mmap, "MADV_REMOVE")
SIZES = [0, 1, 63, 64, 65, 1000, 32 << 10, (32 << 10) + 1, 100_000, 8 << 20]


def native() -> Any:
    """noob_fast, or the reason why it is not tested."""
    try:
        return importlib.import_module("noob_fast")
    except ImportError as error:
        return pytest.param(None, id="native", marks=pytest.mark.skip(reason=str(error)))


_native = native()
IMPLEMENTATIONS = [
    pytest.param(buffers_py, id="python"),
    _native if hasattr(_native, "marks") else pytest.param(_native, id="native"),
]


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


def taken(pool: Any) -> int:
    """Bytes of memory that its file takes, as the system counts."""
    return os.fstat(pool.descriptor).st_blocks * 512


@pytest.mark.parametrize("nbytes", SIZES)
def test_what_is_written_can_be_read(pool, reader, nbytes):
    buffer = pool.acquire(nbytes)
    content = os.urandom(min(nbytes, 1000)) * (nbytes // 1000 + 1)
    content = content[:nbytes]
    buffer.view[:] = content
    assert len(buffer) == len(buffer.view) == nbytes
    for private in (False, True):
        view = reader.open(buffer.handle, private=private)
        assert view == content
        assert view.readonly is not private
        assert (view.format, view.ndim) == ("B", 1)
    assert buffer.handle.offset % 64 == 0


def test_a_private_view_is_changed_for_itself_only(pool, reader):
    for nbytes in (100, 100_000):
        buffer = pool.acquire(nbytes)
        neighbour = pool.acquire(nbytes)
        buffer.view[:] = b"x" * nbytes
        neighbour.view[:] = b"n" * nbytes
        mine, shared = reader.open(buffer.handle, private=True), reader.open(buffer.handle)
        mine[:3] = b"abc"
        assert bytes(mine[:4]) == b"abcx"
        assert bytes(buffer.view[:4]) == bytes(shared[:4]) == b"xxxx"
        assert reader.open(neighbour.handle) == b"n" * nbytes
        buffer.view[:1] = b"y"
        assert bytes(shared[:1]) == b"y"


def test_handles_are_small_and_travel(pool, reader):
    buffer = pool.acquire(1000)
    handle = pickle.loads(pickle.dumps(buffer.handle))
    assert handle == buffer.handle
    assert type(handle) is type(buffer.handle)
    assert len(pickle.dumps(handle, 5)) < 120
    offset, nbytes, slot, generation = handle
    assert (handle.offset, handle.nbytes) == (offset, 1000) == (offset, nbytes)
    assert (handle.slot, handle.generation) == (slot, generation)
    reader.check(tuple(handle))
    with pytest.raises(TypeError):
        pickle.dumps(buffer)


@pytest.mark.parametrize("nbytes", SIZES)
def test_double_free_and_use_after_free_name_the_handle(buffers, pool, reader, nbytes):
    buffer = pool.acquire(nbytes)
    handle = buffer.handle
    pool.release(handle)
    named = rf"{nbytes} bytes at {handle.offset}.*generation {handle.generation}"
    with pytest.raises(buffers.DoubleFreeError, match=named):
        pool.release(handle)
    with pytest.raises(buffers.DoubleFreeError, match=named):
        buffer.release()
    again = pool.acquire(nbytes)
    assert again.handle.offset == handle.offset
    for use in (reader.open, reader.check):
        with pytest.raises(buffers.UseAfterFreeError, match=named):
            use(handle)
    with pytest.raises(buffers.UseAfterFreeError, match=named):
        _ = buffer.view
    del buffer
    gc.collect()
    reader.check(again.handle)
    assert issubclass(buffers.DoubleFreeError, BufferError)
    assert issubclass(buffers.UseAfterFreeError, BufferError)


def test_made_up_handles_are_refused(buffers, pool, reader):
    buffer = pool.acquire(1000)
    handle = buffer.handle
    for change in (
        {"generation": handle.generation + 1},
        {"generation": 0},
        {"nbytes": 999},
        {"nbytes": 1001},
        {"offset": handle.offset + 64},
        {"slot": 0},
        {"slot": handle.slot + 1},
        {"slot": 2**32 - 1},
    ):
        forged = handle._replace(**change)
        with pytest.raises(buffers.DoubleFreeError):
            pool.release(forged)
        for private in (False, True):
            with pytest.raises(buffers.UseAfterFreeError):
                reader.open(forged, private=private)
    for change in (
        {"offset": 0},
        {"offset": FRONT},
        {"offset": 2**40},
        {"offset": 2**64 - 1},
        {"nbytes": 2**40},
        {"nbytes": 2**64 - 1},
    ):
        forged = handle._replace(**change)
        for private in (False, True):
            with pytest.raises(ValueError, match=r"outside of the file, of [0-9]+ bytes"):
                reader.open(forged, private=private)
    for nonsense in (
        (),
        (1, 2, 3),
        (1, 2, 3, 4, 5),
        "1234",
        None,
        7,
        (1, 2, 3, -4),
        (1, 2, 3, "4"),
    ):
        for use in (reader.open, reader.check, pool.release):
            with pytest.raises(ValueError, match="a handle is four numbers"):
                use(nonsense)
    reader.check(handle)


def test_another_pools_handles_are_refused(buffers, pool, reader):
    with buffers.BufferPool() as other:
        mine, theirs = pool.acquire(1000), other.acquire(1000)
        assert mine.handle.offset == theirs.handle.offset
        with pytest.raises(buffers.DoubleFreeError):
            pool.release(theirs.handle)
        with pytest.raises(buffers.UseAfterFreeError):
            reader.open(theirs.handle)


def test_what_is_dropped_is_released_and_used_again(pool):
    for nbytes in (100, 100_000):
        offsets = set()
        for _ in range(50):
            buffer = pool.acquire(nbytes)
            buffer.view[:1] = b"x"
            offsets.add(buffer.handle.offset)
            del buffer
        assert len(offsets) == 1
    assert pool.stats()["live"] == 0


def test_a_context_releases(buffers, pool, reader):
    with pool.acquire(1000) as buffer:
        reader.check(buffer.handle)
    with pytest.raises(buffers.UseAfterFreeError):
        reader.check(buffer.handle)
    with pool.acquire(1000) as buffer:
        buffer.release()


@pytest.mark.parametrize("nbytes", [100, 100_000])
def test_memory_that_somebody_looks_at_is_not_used_again(pool, nbytes):
    buffer = pool.acquire(nbytes)
    view = buffer.view[10:20]
    view[:] = b"0123456789"
    offset = buffer.handle.offset
    buffer.release()
    others = [pool.acquire(nbytes) for _ in range(3)]
    assert offset not in {other.handle.offset for other in others}
    assert pool.stats()["buffers"] == 3
    for other in others:
        other.view[:] = b"o" * nbytes
    assert view == b"0123456789"
    del view, buffer
    assert pool.acquire(nbytes).handle.offset == offset


@pytest.mark.parametrize("nbytes", [100, 100_000])
def test_a_view_keeps_its_buffer_in_use(pool, reader, nbytes):
    buffer = pool.acquire(nbytes)
    handle, view = buffer.handle, buffer.view
    del buffer
    gc.collect()
    reader.check(handle)
    view[:3] = b"abc"
    assert bytes(reader.open(handle)[:3]) == b"abc"
    del view
    assert pool.stats()["buffers"] == 0


def test_what_is_to_be_kept_lives_as_long_as_what_is_looked_at(pool, reader):
    class Kept:
        def __del__(self) -> None:
            ended.append("kept")

    ended: list[str] = []
    buffer = pool.acquire(100_000)
    for private in (False, True):
        part = reader.open(buffer.handle, private=private, keep=Kept())[50:60]
        gc.collect()
        assert not ended
        del part
        gc.collect()
        assert ended.pop() == "kept"


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
        pool.acquire(1)
    assert pool.stats()["live"] == 0
    assert pool.stats()["spare"] <= 32 << 20
    assert taken(pool) <= 33 << 20
    buffer = pool.acquire(1 << 20)
    assert buffer.handle.offset == last
    assert bytes(buffer.view[:2]) == b"xx"
    pool.trim()
    assert taken(pool) < 2 << 20


def test_without_room_nothing_is_taken_and_later_it_is(pool, reader):
    for nbytes in (1 << 47, 1 << 62):
        with pytest.raises(OSError, match="room") as refused:
            pool.acquire(nbytes)
        assert refused.value.errno == errno.EFBIG
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
    monkeypatch.setattr(buffers_py, "_TRACKS", True)
    monkeypatch.setattr(buffers_py, "_MOST_MAPPED", 0)
    pool = buffers_py.BufferPool()
    buffer = pool.acquire(100_000)
    buffer.view[:] = b"x" * 100_000
    view = buffers_py.BufferReader(pool.descriptor).open(buffer.handle, private=True)
    assert type(view.obj) is bytearray
    view[:1] = b"y"
    assert bytes(view) == b"y" + b"x" * 99_999
    assert bytes(buffer.view[:1]) == b"x"


def test_a_file_that_was_given_keeps_its_front_and_has_one_pool(buffers):
    descriptor = memory_file()
    os.ftruncate(descriptor, FRONT)
    os.pwrite(descriptor, b"front", 0)
    early = buffers.BufferReader(descriptor)
    with pytest.raises(ValueError, match="outside of the file"):
        early.check((1 << 40, 1, 1, 1))
    pool = buffers.BufferPool(descriptor)
    assert pool.descriptor != descriptor
    with pytest.raises(ValueError, match="has a pool already"):
        buffers.BufferPool(descriptor)
    os.close(descriptor)
    buffer = pool.acquire(100_000)
    buffer.view[:] = b"x" * 100_000
    early.check(buffer.handle)
    assert os.pread(pool.descriptor, 5, 0) == b"front"
    assert buffer.handle.offset > FRONT
    if LINUX:
        with pytest.raises(PermissionError):
            os.ftruncate(pool.descriptor, FRONT)


def test_a_file_without_a_pool_is_said_to_be_one(buffers):
    descriptor = memory_file()
    os.ftruncate(descriptor, 1 << 30)
    with pytest.raises(ValueError, match="no pool has the file"):
        buffers.BufferReader(descriptor).check((1 << 29, 1, 1, 1))
    os.close(descriptor)


def test_what_is_no_file_is_refused(buffers):
    for make in (buffers.BufferPool, buffers.BufferReader):
        for number in (-1, 1 << 20):
            with pytest.raises(OSError) as refused:  # noqa: PT011 (the system's own words)
                make(number)
            assert refused.value.errno == errno.EBADF
    with pytest.raises(ValueError, match="keep_seconds=-1"):
        buffers.BufferPool(keep_seconds=-1.0)


def test_what_was_handed_out_outlives_what_is_closed(buffers):
    pool = buffers.BufferPool()
    reader = buffers.BufferReader(pool.descriptor)
    descriptor = pool.descriptor
    buffer = pool.acquire(100_000)
    view, private = reader.open(buffer.handle), reader.open(buffer.handle, private=True)
    pool.close()
    pool.close()
    buffer.view[:3] = b"abc"
    assert bytes(view[:3]) == bytes(private[:3]) == b"abc"
    for use, *arguments in (
        (pool.acquire, 1),
        (pool.release, buffer.handle),
        (pool.stats,),
        (pool.trim,),
    ):
        with pytest.raises(ValueError, match="closed"):
            use(*arguments)
    with pytest.raises(ValueError, match="closed"):
        _ = pool.descriptor
    buffer.release()
    with pytest.raises(buffers.UseAfterFreeError):
        reader.check(buffer.handle)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.open(buffer.handle)
    with pytest.raises(ValueError, match="closed"):
        _ = reader.descriptor
    del buffer, pool, use, arguments
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert bytes(view[:3]) == b"abc"


@pytest.mark.skipif(not LINUX, reason="counts the open files of this process in /proc")
def test_nothing_is_left_behind(buffers):
    def left() -> tuple[int, int, set[str]]:
        gc.collect()
        maps = Path("/proc/self/maps").read_text().count("/memfd:noob")
        names = {path.name for path in Path("/dev/shm").iterdir()}
        return len(list(Path("/proc/self/fd").iterdir())), maps, names

    before = left()
    pool = buffers.BufferPool()
    reader = buffers.BufferReader(pool.descriptor)
    held = [pool.acquire(nbytes) for nbytes in SIZES]
    views = [reader.open(one.handle, private=private) for one in held for private in (False, True)]
    assert os.fstat(pool.descriptor).st_nlink == 0
    assert left()[2] == before[2]
    assert left()[1] > before[1]
    del pool, reader, held, views
    assert left() == before


def test_threads_share_a_pool(pool, reader):
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            held: list[Any] = []
            for turn in range(200):
                buffer = pool.acquire((number * 7919 + turn * 104_729) % 90_000 + 8)
                mark = (number << 32 | turn).to_bytes(8, "little")
                buffer.view[:8] = buffer.view[-8:] = mark
                held.append((buffer, mark))
                if len(held) > 5:
                    one, written = held.pop(turn % 5)
                    seen = reader.open(one.handle)
                    assert bytes(seen[:8]) == bytes(seen[-8:]) == written
                    if turn % 3:
                        pool.release(one.handle)
        except BaseException as error:  # noqa: BLE001 (told below)
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert pool.stats()["live"] == 0


def test_of_many_that_release_one_buffer_one_succeeds(buffers, pool):
    for _ in range(20):
        handle = (buffer := pool.acquire(1000)).handle
        outcomes: Counter[str] = Counter()
        start = threading.Barrier(3)

        def release(handle: Any = handle, start: Any = start, outcomes: Any = outcomes) -> None:
            start.wait(30)
            try:
                pool.release(handle)
                outcomes["released"] += 1
            except buffers.DoubleFreeError:
                outcomes["refused"] += 1

        threads = [threading.Thread(target=release) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert outcomes == {"released": 1, "refused": 2}
        assert len(buffer) == 1000


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


# Against a model


class Machine(RuleBasedStateMachine):
    """Random use: nothing overlaps, contents stay, misuse is found, and bytes are counted."""

    buffers: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.pool = self.buffers.BufferPool(keep_seconds=0.0, spare_bytes=1 << 20)
        self.reader = self.buffers.BufferReader(self.pool.descriptor)
        self.live: list[tuple[Any, bytes]] = []
        self.dead: list[Any] = []
        self.looked: list[tuple[memoryview, bytes]] = []

    @rule(
        nbytes=st.one_of(st.integers(0, 600), st.integers(0, 70_000), st.just(1 << 18)),
        mark=st.binary(min_size=1, max_size=8),
    )
    def acquire(self, nbytes, mark):
        buffer = self.pool.acquire(nbytes)
        content = (mark * (nbytes // len(mark) + 1))[:nbytes]
        buffer.view[:] = content
        assert buffer.handle not in self.dead
        self.live.append((buffer, content))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), way=st.sampled_from(["handle", "buffer", "drop"]))
    def release(self, data, way):
        buffer, _ = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        self.dead.append(buffer.handle)
        if way == "handle":
            self.pool.release(buffer.handle)
        elif way == "buffer":
            buffer.release()

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def release_what_is_looked_at(self, data):
        buffer, content = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        self.looked.append((buffer.view, content))
        buffer.release()
        self.dead.append(buffer.handle)

    @rule()
    def look_away(self):
        self.looked.clear()

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def change_privately(self, data):
        buffer, content = self.live[data.draw(st.integers(0, len(self.live) - 1))]
        view = self.reader.open(buffer.handle, private=True)
        assert view == content
        view[:] = bytes(255 - byte for byte in content[:10]) + content[10:]

    @rule()
    def trim(self):
        self.pool.trim()
        assert self.pool.stats()["spare"] == 0 or not LINUX

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def misuse(self, data):
        handle = data.draw(st.sampled_from(self.dead))
        with pytest.raises(self.buffers.DoubleFreeError):
            self.pool.release(handle)
        with pytest.raises(self.buffers.UseAfterFreeError):
            self.reader.open(handle)

    @invariant()
    def all_is_as_it_was_written(self):
        spans = []
        for buffer, content in self.live:
            assert self.reader.open(buffer.handle) == content
            spans.append((buffer.handle.offset, buffer.handle.offset + max(1, len(content))))
        spans.sort()
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
        for view, content in self.looked:
            assert view == content

    @invariant()
    def bytes_are_counted(self):
        stats = self.pool.stats()
        assert stats["buffers"] == len(self.live)
        assert stats["asked"] == sum(len(content) for _, content in self.live)
        assert stats["reserved"] >= stats["live"] + stats["spare"]
        assert stats["live"] >= stats["asked"]
        if LINUX:
            assert taken(self.pool) <= stats["reserved"]
        if not self.live and not self.looked:
            assert stats["live"] == 0

    def teardown(self):
        self.live.clear()
        self.looked.clear()
        gc.collect()
        stats = self.pool.stats()
        assert (stats["buffers"], stats["asked"], stats["live"]) == (0, 0, 0)
        self.pool.close()
        self.reader.close()


class PythonMachine(Machine):
    buffers = buffers_py


TestPythonMachine = PythonMachine.TestCase
TestPythonMachine.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)

if not hasattr(_native, "marks"):

    class NativeMachine(Machine):
        buffers = _native

    TestNativeMachine = NativeMachine.TestCase
    TestNativeMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
