"""BufferPool and its readers among files, tables and times that are not what they should be."""

from __future__ import annotations

import errno
import gc
import os
import resource
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from noob_runners.components import buffers_py, space_py
from noob_runners.components.handles_py import DATA, LINES
from noob_runners.components.shared_file import FRONT, memory_file

sys.path.append(str(Path(__file__).parent))
from buffer_help import IMPLEMENTATIONS, LINUX

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


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_table_full_of_nonsense_is_no_crash(buffers, pool, reader):
    held = [pool.acquire(nbytes) for nbytes in (100, 100_000)]
    reader.check(held[0].handle)
    random = Random(1)
    for fill in (b"\xff" * 4096, bytes(4096), *(random.randbytes(4096) for _ in range(20))):
        os.pwrite(pool.descriptor, fill, FRONT)
        handles = [
            (DATA, 1, slot, generation)
            for slot in (0, 1, 2, LINES - 1, LINES, 2**32 - 1)
            for generation in (0, 1, 2**64 - 1)
        ]
        told = [fill[at : at + 32] for at in range(0, 4096, 32)]
        for slot, line in enumerate(told):
            generation, offset, nbytes = (
                int.from_bytes(line[at : at + 8], "little") for at in (0, 8, 16)
            )
            handles.append((offset, nbytes, slot, generation))
        for handle in handles:
            for private in (False, True):
                with pytest.raises((buffers.UseAfterFreeError, ValueError)):
                    reader.open(handle, private=private)
        with pytest.raises((buffers.UseAfterFreeError, ValueError)):
            buffers.BufferReader(pool.descriptor).check(held[0].handle)
        again = pool.acquire(100)
        again.view[:] = b"x" * 100
        pool.release(again.handle)
        with pytest.raises(buffers.DoubleFreeError):
            pool.release(again.handle)
    assert pool.stats()["buffers"] == 2


@pytest.mark.skipif(not LINUX, reason="only Linux promises that a file does not become shorter")
def test_what_could_become_shorter_is_refused(buffers, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    before = open_files()
    files = [
        os.open(plain, os.O_RDWR),
        os.open(plain, os.O_RDONLY),
        os.open(tmp_path, os.O_RDONLY),
        os.open(os.devnull, os.O_RDWR),
        os.memfd_create("unsealed"),
        *os.pipe(),
    ]
    for descriptor in files:
        for make in (buffers.BufferPool, buffers.BufferReader):
            with pytest.raises(ValueError, match=r"file \d+: it is no file in memory that can be"):
                make(descriptor)
        os.close(descriptor)
    gc.collect()
    assert open_files() == before


@pytest.mark.skipif(not LINUX, reason="only Linux promises that a file does not become shorter")
def test_readers_too_keep_the_file_from_becoming_shorter(buffers):
    descriptor = memory_file()
    os.ftruncate(descriptor, 1 << 30)
    early = buffers.BufferReader(descriptor)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, FRONT)
    os.close(descriptor)
    early.close()


@pytest.mark.skipif(not LINUX, reason="files are opened again by number in /proc")
def test_a_file_that_cannot_be_written_can_be_read_only(buffers, pool):
    buffer = pool.acquire(100_000)
    buffer.view[:] = b"x" * 100_000
    descriptor = os.open(f"/proc/self/fd/{pool.descriptor}", os.O_RDONLY)
    reader = buffers.BufferReader(descriptor)
    for private in (False, True):
        assert bytes(reader.open(buffer.handle, private=private)[-3:]) == b"xxx"
    with pytest.raises(ValueError, match="has a pool already"):
        buffers.BufferPool(descriptor)
    os.close(descriptor)
    with buffers.BufferReader(memory := memory_file()):
        descriptor = os.open(f"/proc/self/fd/{memory}", os.O_RDONLY)
        with pytest.raises(OSError) as refused:  # noqa: PT011 (the system's own words)
            buffers.BufferPool(descriptor)
        assert refused.value.errno == errno.EINVAL
    os.close(descriptor)
    os.close(memory)


def test_what_is_closed_during_a_call_is_not_another_file_in_it(monkeypatch):
    pool = buffers_py.BufferPool()
    number = pool.descriptor

    def reserve(descriptor: int, offset: int, nbytes: int) -> None:
        pool.close()
        gc.collect()
        with Path(os.devnull).open("rb") as other:
            assert other.fileno() != descriptor == number
            os.posix_fallocate(descriptor, offset, nbytes)

    monkeypatch.setattr(space_py, "reserve", reserve)
    buffer = pool.acquire(100_000)
    buffer.view[-1:] = b"x"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_destructor_may_release_while_the_twin_is_at_work(monkeypatch):
    pool = buffers_py.BufferPool()
    other = pool.acquire(100)

    def settle() -> None:  # here as anywhere the collector may run
        other.release()
        monkeypatch.undo()

    monkeypatch.setattr(pool._space, "settle", settle)
    thread = threading.Thread(target=pool.acquire, args=(100,), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert pool.stats()["live"] == 0


def test_what_is_no_file_is_refused(buffers):
    for make in (buffers.BufferPool, buffers.BufferReader):
        for number in (-1, 1 << 20):
            with pytest.raises(OSError) as refused:  # noqa: PT011 (the system's own words)
                make(number)
            assert refused.value.errno == errno.EBADF
    for seconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="keep_seconds="):
            buffers.BufferPool(keep_seconds=seconds)
    with pytest.raises(OverflowError):
        buffers.BufferPool(spare_bytes=-1)
    with pytest.raises(TypeError):
        buffers.BufferPool(spare_bytes=1.5)


@pytest.mark.skipif(not LINUX, reason="the open files of this process are counted in /proc")
def test_without_room_for_files_nothing_is_left(buffers, pool):
    kept = pool.acquire(100_000)
    before = open_files()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest := os.dup(pool.descriptor))
    for make in (buffers.BufferPool, lambda: buffers.BufferReader(pool.descriptor)):
        refusals = []
        for room in range(5):
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, limits[1]))
            try:
                made = make()
                made.close()
                del made
            except OSError as error:
                refusals.append(error.errno)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            gc.collect()
            assert open_files() == before
        assert refusals
        assert set(refusals) == {errno.EMFILE}
        assert len(refusals) < 5
    kept.view[:1] = pool.acquire(100_000).view[:1] = b"x"
