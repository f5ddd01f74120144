"""Buffers between processes, of which some are killed, or forked."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from noob_runners.components import buffers_py

sys.path.append(str(Path(__file__).parent))
from buffer_help import names_of

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
]

PATIENCE_S = 30
TWIN = "noob_runners.components.buffers_py"
OWNER = """
import pickle, socket, sys
from {module} import BufferPool
sock = socket.socket(fileno=int(sys.argv[1]))
pool = BufferPool()
buffer = pool.acquire(8 << 20)
buffer.view[:] = b"x" * (8 << 20)
socket.send_fds(sock, [pickle.dumps(tuple(buffer.handle))], [pool.descriptor])
sock.recv(1)
buffer.release()
again = pool.acquire(8 << 20)
again.view[:] = b"y" * (8 << 20)
sock.send(pickle.dumps(tuple(again.handle)))
sock.recv(1)
"""
READER = """
import pickle, socket, sys
from {module} import BufferReader
sock = socket.socket(fileno=int(sys.argv[1]))
message, files, _, _ = socket.recv_fds(sock, 1000, 1)
reader = BufferReader(files[0])
handle = pickle.loads(message)
views = [reader.open(handle, private=private) for private in (False, True)]
sock.send(bytes(view[0] for view in views))
sock.recv(1)
"""


def _module(name: str) -> Any:
    return buffers_py if name == TWIN else pytest.importorskip(name)


@pytest.fixture(
    params=["noob_runners.components.buffers_py", "noob_fast"], ids=["python", "native"]
)
def module(request) -> str:
    _module(request.param)
    return request.param


@pytest.fixture
def buffers(module) -> Any:
    return _module(module)


@contextlib.contextmanager
def other(script: str, module: str):
    """A process that runs a script, and a socket to it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    command = [sys.executable, "-c", script.format(module=module), str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        ours.close()


def in_a_fork(action: Any) -> str:
    """What an action says, which a forked process does."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        said = "nothing"
        try:
            said = str(action())
        except BaseException as error:  # noqa: BLE001 (it is the answer)
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:  # noqa: PTH123 (it is a number)
        said = "too long"
        if select.select([file], [], [], PATIENCE_S)[0]:
            said = file.read().decode()
    until = time.monotonic() + PATIENCE_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return said


def exists(pid: int) -> bool:
    """Whether a process is in the table of processes."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_another_process_reads_and_finds_use_after_free(buffers, module):
    with other(OWNER, module) as (_, sock):
        message, files, _, _ = socket.recv_fds(sock, 1000, 1)
        reader = buffers.BufferReader(files[0])
        os.close(files[0])
        first = pickle.loads(message)
        view = reader.open(first)
        assert bytes(view[:3]) == bytes(view[-3:]) == b"xxx"
        sock.send(b"!")
        second = pickle.loads(sock.recv(1000))
        with pytest.raises(buffers.UseAfterFreeError, match=f"generation {first[3]}"):
            reader.check(first)
        with pytest.raises(buffers.UseAfterFreeError):
            reader.open(first, private=True)
        assert second[0] == first[0]  # the same memory again
        assert bytes(reader.open(second)[:3]) == b"yyy"


def test_a_killed_owner_leaves_nothing_and_readers_go_on(buffers, module):
    with other(OWNER, module) as (process, sock):
        message, files, _, _ = socket.recv_fds(sock, 1000, 1)
        handle = pickle.loads(message)
        reader = buffers.BufferReader(files[0])
        view, private = reader.open(handle), reader.open(handle, private=True)
        process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert not exists(process.pid)
        assert bytes(view[-3:]) == bytes(private[-3:]) == b"xxx"
        private[:3] = b"abc"
        assert bytes(reader.open(handle)[:3]) == b"xxx"
        status = os.fstat(files[0])
        assert status.st_nlink == 0
        os.close(files[0])
        del view, private, reader
        gc.collect()
        maps = Path("/proc/self/maps")
        if maps.exists():
            lines = [line.split() for line in maps.read_text().splitlines() if "/memfd:" in line]
            assert str(status.st_ino) not in {line[4] for line in lines}
        assert names_of(status) == []


def test_what_a_killed_reader_had_is_used_again(buffers, module):
    pool = buffers.BufferPool()
    buffer = pool.acquire(8 << 20)
    buffer.view[:1] = b"x"
    offset = buffer.handle.offset
    with other(READER, module) as (process, sock):
        socket.send_fds(sock, [pickle.dumps(tuple(buffer.handle))], [pool.descriptor])
        assert sock.recv(2) == b"xx"
        process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert not exists(process.pid)
    pool.release(buffer.handle)
    assert pool.stats()["live"] == 0
    assert pool.acquire(8 << 20).handle.offset == offset
    assert names_of(os.fstat(pool.descriptor)) == []


def test_a_forked_process_reads_and_changes_nothing(buffers):
    pool = buffers.BufferPool()
    reader = buffers.BufferReader(pool.descriptor)
    held = [pool.acquire(100_000), pool.acquire(100)]
    for buffer in held:
        buffer.view[:3] = b"abc"
    view = held[0].view
    before = pool.stats()

    def look() -> str:
        return " ".join(bytes(reader.open(one.handle)[:3]).decode() for one in held)

    def drop() -> str:
        nonlocal view
        del view
        held.clear()
        gc.collect()
        pool.close()
        return "dropped"

    assert in_a_fork(look) == "abc abc"
    for use in (
        lambda: pool.acquire(100),
        lambda: pool.release(held[0].handle),
        held[0].release,
        lambda: held[0].view,
        pool.stats,
        pool.trim,
    ):
        assert in_a_fork(use).startswith("RuntimeError: the pool is that of the process that this")
    assert in_a_fork(drop) == "dropped"
    assert pool.stats() == before
    for buffer in held:
        assert bytes(reader.open(buffer.handle)[:3]) == bytes(buffer.view[:3]) == b"abc"
    assert pool.acquire(100_000).handle.offset != held[0].handle.offset


def test_a_forked_process_reads_wherever_another_thread_was(buffers, monkeypatch):
    """As far as threads can be interrupted: the native one's are not."""
    pool = buffers_py.BufferPool()
    buffer = pool.acquire(100_000)
    buffer.view[:3] = b"abc"
    reader = buffers.BufferReader(pool.descriptor)
    said = []

    def status(descriptor: int, look: Any = os.fstat) -> Any:
        if not said:
            said.append("begun")
            said.append(in_a_fork(lambda: bytes(reader.open(buffer.handle)[:3]).decode()))
        return look(descriptor)

    monkeypatch.setattr(os, "fstat", status)
    reader.check(buffer.handle)
    os.fstat(pool.descriptor)
    assert said == ["begun", "abc"]


def test_a_pool_can_begin_in_a_forked_process(buffers):
    def begin() -> str:
        pool = buffers.BufferPool()
        buffer = pool.acquire(100_000)
        buffer.view[:3] = b"abc"
        with buffers.BufferReader(pool.descriptor) as reader:
            return bytes(reader.open(buffer.handle)[:3]).decode()

    assert in_a_fork(begin) == "abc"


def test_native_and_twin_read_each_others_buffers():
    fast = pytest.importorskip("noob_fast")
    for writes, reads in ((fast, buffers_py), (buffers_py, fast)):
        pool = writes.BufferPool()
        reader = reads.BufferReader(pool.descriptor)
        for nbytes in (100, 100_000):
            buffer = pool.acquire(nbytes)
            buffer.view[:] = b"x" * nbytes
            assert reader.open(buffer.handle) == b"x" * nbytes
            buffer.release()
            with pytest.raises(reads.UseAfterFreeError):
                reader.check(buffer.handle)
