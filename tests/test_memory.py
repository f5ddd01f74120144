"""What a cell's processes hold: their heaps, and memory files however they are held."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from noob_perf.measure.memory import anonymous_bytes, memory_now, peak_rss_bytes

MEGABYTE = 2**20
LINUX = sys.platform == "linux"

CHILD = """
import sys
held = bytearray(b"x") * int(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child():
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(64 * MEGABYTE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.communicate(timeout=30)


def test_the_heap_of_this_process_counts():
    before = memory_now().own_bytes
    held = bytearray(b"x") * (64 * MEGABYTE)
    gained = memory_now().own_bytes - before
    assert len(held) <= gained < len(held) + 16 * MEGABYTE


def test_the_heap_of_a_child_counts_and_is_told_apart(child):
    memory = memory_now()
    assert 64 * MEGABYTE < memory.children_bytes < 128 * MEGABYTE
    assert peak_rss_bytes() > 64 * MEGABYTE


@pytest.mark.skipif(not LINUX, reason="only Linux has memory files")
@pytest.mark.parametrize("held", ["open", "mapped", "both"])
def test_a_memory_file_counts_once_however_it_is_held(held):
    before = memory_now().shared_bytes
    descriptor = os.memfd_create("noob-test")
    os.truncate(descriptor, 64 * MEGABYTE)
    mapped = mmap.mmap(descriptor, 32 * MEGABYTE, trackfd=False) if WITHOUT_FILE else None
    view = mapped or mmap.mmap(descriptor, 32 * MEGABYTE)
    view.write(b"x" * (16 * MEGABYTE))
    if held == "open":
        view.close()
    if held == "mapped":
        os.close(descriptor)
    try:
        gained = memory_now().shared_bytes - before
    finally:
        if held != "open":
            view.close()
        if held != "mapped":
            os.close(descriptor)
    assert gained == 16 * MEGABYTE  # what was written, not what might be
    assert memory_now().shared_bytes == before


WITHOUT_FILE = sys.version_info >= (3, 13)
"""Before, mmap keeps a descriptor of its own, so that what is mapped is always open too."""


def test_anonymous_memory_grows_by_what_is_allocated():
    before = anonymous_bytes()
    ballast = b"x" * (64 * 2**20)
    assert 0.9 < (anonymous_bytes() - before) / len(ballast) < 1.5
