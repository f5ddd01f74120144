"""The kernels: their digests, and that each does the work asked of it and no other."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_workloads import KERNELS, kernels

DIGESTS = st.integers(0, 2**64 - 1)
NODES = st.integers(0, 2**31)


@given(node=NODES, inputs=st.lists(DIGESTS, max_size=6))
def test_digest_is_the_documented_formula(node, inputs):
    state = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(node)
    for value in inputs:
        state = (state ^ np.array([value], dtype=np.uint64)) * np.uint64(0xD6E8FEB86659FD93)
    expected = int(np.uint64((state ^ (state >> np.uint64(32))).item()))
    assert kernels.noop(*inputs, node=node) == expected


def test_digest_stays_the_same_for_ever():
    assert kernels.noop(1, 2, node=3) == 2416131936272776612
    assert list(islice(kernels.epochs(), 2)) == [16622836990383173412, 1136929600838708238]


@given(node=NODES, inputs=st.lists(DIGESTS, min_size=1, max_size=6), data=st.data())
def test_one_wrong_input_is_never_missed(node, inputs, data):
    place = data.draw(st.integers(0, len(inputs) - 1), label="place")
    wrong = list(inputs)
    wrong[place] = data.draw(DIGESTS.filter(lambda value: value != inputs[place]), label="wrong")
    assert kernels.noop(*wrong, node=node) != kernels.noop(*inputs, node=node)


@given(first=st.integers(0, 10**6), second=st.integers(0, 10**6), node=NODES)
def test_swapped_inputs_and_other_nodes_are_noticed(first, second, node):
    digest = kernels.noop(first, second, node=node)
    assert (digest == kernels.noop(second, first, node=node)) == (first == second)
    assert digest != kernels.noop(first, second, node=node + 1)
    assert digest != kernels.noop(first, node=node)
    assert digest != kernels.noop(first, second, second, node=node)


@given(node=NODES, inputs=st.lists(DIGESTS, max_size=4), data=st.data())
def test_arrays_count_as_the_digests_they_carry(node, inputs, data):
    def as_array(value):
        rest = data.draw(st.binary(max_size=9))
        return np.frombuffer(value.to_bytes(8, "little") + rest, dtype=np.uint8)

    mixed = [as_array(value) if data.draw(st.booleans()) else value for value in inputs]
    assert kernels.noop(*mixed, node=node) == kernels.noop(*inputs, node=node)


def test_an_input_that_carries_no_digest_is_an_error():
    with pytest.raises(TypeError):
        kernels.noop(None, node=0)


def test_epochs_differ():
    assert len(set(islice(kernels.epochs(), 1000))) == 1000


@given(inputs=st.lists(DIGESTS, max_size=3), size=st.integers(8, 200))
def test_payload_is_written_whole_and_begins_with_the_digest(inputs, size):
    output = kernels.payload(*inputs, node=5, output_bytes=size)
    digest = kernels.noop(*inputs, node=5)
    assert output.dtype == np.uint8
    assert output.shape == (size,)
    assert kernels.digest_of(output) == digest
    assert (output[8:] == digest & 0xFF).all()


@pytest.mark.parametrize("name", KERNELS)
def test_no_work_is_no_work(name, monkeypatch):
    """With a duration of 0 no kernel so much as looks at a clock or allocates its array."""
    monkeypatch.setattr(kernels, "time", None)
    monkeypatch.setattr(kernels, "_stream", None)
    kernel = KERNELS[name]
    params = {"node": 4}
    if kernel.amount is not None:
        params[kernel.amount] = kernel.amounts(np.zeros(1))[0]
    if kernel.sized:
        params["output_bytes"] = 8
    output = kernel.function(7, 8, **params)
    assert kernels.digest_of(output) == kernels.noop(7, 8, node=4)


@pytest.mark.parametrize("name", ["busy", "payload"])
def test_spinning_ends_when_the_cpu_time_is_used(name, monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(kernels, "time", SimpleNamespace(thread_time=lambda: next(ticks)))
    extra = {"output_bytes": 8} if name == "payload" else {}
    KERNELS[name].function(node=1, seconds=10.0, **extra)
    assert next(ticks) == 11


def test_wait_sleeps(monkeypatch):
    slept = []
    monkeypatch.setattr(kernels, "time", SimpleNamespace(sleep=slept.append))
    assert kernels.wait(1, node=2, seconds=0.25) == kernels.noop(1, node=2)
    assert slept == [0.25]


def test_compute_does_its_iterations(monkeypatch):
    class Counted(np.ndarray):
        done = 0

        def __imul__(self, other):
            Counted.done += self.size
            return super().__imul__(other)

    ones = SimpleNamespace(ones=lambda size: np.ones(size).view(Counted))
    monkeypatch.setattr(kernels, "np", ones)
    assert kernels.compute(1, node=2, iterations=7) == kernels.noop(1, node=2)
    assert Counted.done == 7 * kernels.COMPUTE_SIZE


@given(node=st.integers(0, 50), words=st.integers(1, 400))
def test_memory_reads_all_it_should_from_where_the_last_node_stopped(node, words):
    read = []

    class Tracked(np.ndarray):
        def sum(self):
            read.extend(np.asarray(self).tolist())

    array = np.arange(64.0).view(Tracked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_stream", lambda: array)
        result = kernels.memory(1, node=node, nbytes=8 * words)
    assert result == kernels.noop(1, node=node)
    assert read == [(node * words + i) % 64 for i in range(words)]


def test_memory_reads_an_array_that_is_made_once():
    assert kernels._stream() is kernels._stream()
    assert kernels._stream().nbytes == kernels.MEMORY_BYTES


def test_amounts_are_seconds_or_whole_units():
    seconds = np.array([0.0, 0.5, 1.25])
    assert KERNELS["busy"].amounts(seconds) == [0.0, 0.5, 1.25]
    iterations = KERNELS["compute"].amounts(seconds)
    assert iterations == [0, kernels.COMPUTE_RATE // 2, kernels.COMPUTE_RATE * 5 // 4]
    assert all(type(count) is int for count in iterations)
