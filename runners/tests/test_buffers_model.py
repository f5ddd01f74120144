"""BufferPool and its twin against a model of what is in use."""

from __future__ import annotations

import gc
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

sys.path.append(str(Path(__file__).parent))
from buffer_help import IMPLEMENTATIONS, LINUX, taken

pytestmark = pytest.mark.timeout(120)


class Machine(RuleBasedStateMachine):
    """Random use: nothing overlaps, contents stay, misuse is found, and bytes are counted."""

    def __init__(self, buffers: Any) -> None:
        super().__init__()
        self.buffers = buffers
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


@pytest.mark.parametrize("buffers", IMPLEMENTATIONS)
def test_random_use_goes_as_the_model_says(buffers):
    modest = settings(max_examples=15, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(lambda: Machine(buffers), settings=modest)
