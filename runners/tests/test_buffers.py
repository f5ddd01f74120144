"""BufferPool and its twin: buffers by handle, in one process."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from noob_runners.components.shared_file import FRONT, memory_file

sys.path.append(str(Path(__file__).parent))
from buffer_help import IMPLEMENTATIONS, LINUX, names_of

pytestmark = pytest.mark.timeout(120)

SIZES = [0, 1, 63, 64, 65, 1000, 32 << 10, (32 << 10) + 1, 100_000, 8 << 20]


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
        (1, 2, 1 << 32, 4),
        (1, 2, 3, 1 << 64),
        [1, 2, 3, 4],
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


def test_a_table_that_was_altered_is_no_crash(pool, reader):
    held = [pool.acquire(60 << 20)]
    first = held[0].handle
    reader.check(first)  # which maps the file as it is now
    held.append(pool.acquire(60 << 20))
    second = held[1].handle
    reader.check(second)  # and what has come since
    across = first._replace(nbytes=second.offset - first.offset + 1)
    os.pwrite(pool.descriptor, across.nbytes.to_bytes(8, "little"), FRONT + 32 * first.slot + 16)
    reader.check(second)
    for private in (False, True):
        with pytest.raises(ValueError, match="the table is not a pool's"):
            reader.open(across, private=private)


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
    def left() -> tuple[int, int]:
        gc.collect()
        maps = Path("/proc/self/maps").read_text().count("/memfd:noob")
        return len(list(Path("/proc/self/fd").iterdir())), maps

    before = left()
    pool = buffers.BufferPool()
    reader = buffers.BufferReader(pool.descriptor)
    held = [pool.acquire(nbytes) for nbytes in SIZES]
    views = [reader.open(one.handle, private=private) for one in held for private in (False, True)]
    status = os.fstat(pool.descriptor)
    assert status.st_nlink == 0
    assert names_of(status) == []
    assert left() > before
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
