"""Frames over a socket."""

from __future__ import annotations

import os
import resource
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_runners.components.shared_file import memory_file
from noob_runners.pool.source import Source
from noob_runners.pool.wire import Inbox, Kind, Outbox, ProtocolError, frame_header

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(0)
    with ours, theirs:
        yield ours, theirs


@given(
    frames=st.lists(
        st.tuples(
            st.sampled_from(Kind),
            st.integers(0, 2**64 - 1),
            st.integers(0, 2**64 - 1),
            st.binary(max_size=300),
        ),
        max_size=8,
    ),
    cuts=st.lists(st.integers(1, 200)),
)
def test_frames_arrive_as_they_were_however_they_are_cut(frames, cuts):
    data = b"".join(
        frame_header(kind, len(payload), number, seen) + payload
        for kind, number, seen, payload in frames
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(ours)
        got = []
        while data:
            size = cuts.pop() if cuts else len(data)
            theirs.sendall(data[:size])
            data = data[size:]
            got += [(f.kind, f.number, f.seen, bytes(f.payload)) for f in inbox.receive()]
        assert got == frames


def test_megabytes_go_both_ways_at_once(ends):
    payloads = os.urandom(5_000_000), os.urandom(7_000_000)
    outboxes = [Outbox(end) for end in ends]
    inboxes = [Inbox(end) for end in ends]
    for outbox, payload in zip(outboxes, payloads, strict=True):
        outbox.put(frame_header(Kind.CALLS, len(payload)), payload)
    got = [[], []]
    while not all(got):
        for at in (0, 1):
            outboxes[at].flush()
            try:
                got[at] += [bytes(frame.payload) for frame in inboxes[at].receive()]
            except BlockingIOError:
                continue
    assert got == [[payloads[1]], [payloads[0]]]
    assert not any(map(len, outboxes))
    ends[0].send(frame_header(Kind.STOP, 0))
    assert [frame.kind for frame in inboxes[1].receive()] == [Kind.STOP]


def test_nothing_to_read(ends):
    with pytest.raises(BlockingIOError):
        Inbox(ends[0]).receive()


def test_an_end_between_frames_and_one_in_the_middle(ends):
    inbox = Inbox(ends[0])
    whole = frame_header(Kind.STOP, 0)
    ends[1].send(whole + frame_header(Kind.CALLS, 100) + b"x" * 60)
    assert [frame.kind for frame in inbox.receive()] == [Kind.STOP]
    ends[1].close()
    with pytest.raises(EOFError, match="in the middle of a frame, after 92 bytes"):
        inbox.receive()

    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(EOFError) as caught:
            Inbox(ours).receive()
        assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"GET / HTTP/1.1" + b" " * 40, "no frame of ours"),
        (frame_header(Kind.CALLS, 1 << 40), "length 1099511627776"),
        (frame_header(99, 0), "no kind of frame has the number 99"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_frame_is_not_believed(ends, header, message):
    ends[1].send(header)
    with pytest.raises(ProtocolError, match=message):
        Inbox(ends[0]).receive()


def test_a_file_comes_with_its_frame(ends):
    source = Source(memory_file())
    os.pwrite(source.descriptor, b"content", 0)
    outbox = Outbox(ends[0])
    outbox.put(frame_header(Kind.STOP, 0))
    outbox.put(frame_header(Kind.FILE, 0), file=source)
    outbox.flush()
    del source
    inbox = Inbox(ends[1], descriptors=True)
    kinds = []
    while len(kinds) < 2:
        kinds += [frame.kind for frame in inbox.receive()]
    assert kinds == [Kind.STOP, Kind.FILE]
    descriptor = inbox.descriptors.popleft()
    assert not os.get_inheritable(descriptor)
    assert os.pread(descriptor, 100, 0) == b"content"
    os.close(descriptor)
    assert not inbox.descriptors


def test_a_file_for_which_there_is_no_room_is_told(ends):
    inbox = Inbox(ends[1], descriptors=True)
    outbox = Outbox(ends[0])
    outbox.put(frame_header(Kind.FILE, 0), file=Source(memory_file()))
    outbox.put(frame_header(Kind.STOP, 0))
    outbox.flush()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        kinds = [frame.kind for frame in inbox.receive()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    while len(kinds) < 2:
        kinds += [frame.kind for frame in inbox.receive()]
    assert kinds == [Kind.FILE, Kind.STOP]
    assert list(inbox.descriptors) == [None]
