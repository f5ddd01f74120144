"""Timelines: the file at any moment, its tracks, and the critical path."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noob import Epoch

from noob_runners.timeline import Slice, Timeline, TimelineError, critical_path

EDGES = [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")]


def whole(path):
    return json.loads(path.read_text())


def unfinished(path):
    """What a reader of the JSON Array Format sees in a file that is not closed."""
    return json.loads(path.read_text() + "]")


def calls_of(events):
    return [event for event in events if event["ph"] == "X"]


def tracks(events):
    return {
        event["args"]["name"]: [
            call["name"] for call in calls_of(events) if call["tid"] == event["tid"]
        ]
        for event in events
        if event["name"] == "thread_name"
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "timeline.json"


def diamond(timeline, root=0, shift_ns=0):
    epoch = Epoch(root)
    timeline.call(-1, "a", epoch, shift_ns + 5_000, 1_000)
    timeline.call(0, "b", epoch, shift_ns + 7_000, 1_500)
    timeline.call(1, "c", epoch, shift_ns + 7_000, 3_000)
    timeline.call(-1, "d", epoch, shift_ns + 11_000, 500)
    timeline.epoch(epoch)


# --- the file


def test_calls_are_slices_on_the_track_of_their_place(path):
    timeline = Timeline(path, EDGES)
    diamond(timeline)
    timeline.close()
    events = whole(path)
    assert tracks(events) == {
        "coordinator": ["a", "d"],
        "worker 0": ["b"],
        "worker 1": ["c"],
        "critical path": ["a", "c", "d"],
    }
    call = next(event for event in events if event["name"] == "c")
    assert (call["ts"], call["dur"], call["cat"]) == (2.0, 3.0, "critical")
    assert call["args"] == {"node": "c", "epoch": "0"}
    assert [event["cat"] for event in events if event["name"] == "b"] == ["call"]
    assert {event["pid"] for event in events} == {1}


def test_times_are_exact_to_the_nanosecond(path):
    timeline = Timeline(path, [])
    late = 10**15 + 1
    for begin, took in ((10**9, 1), (late, 1_234_567)):
        timeline.call(0, "a", Epoch(0), begin, took)
    timeline.close()
    assert [(call["ts"], call["dur"]) for call in calls_of(whole(path))[:2]] == [
        (0.0, 0.001),
        ((late - 10**9) / 1e3, 1_234.567),
    ]


def test_the_file_opens_at_any_moment(path):
    timeline = Timeline(path, EDGES)
    assert calls_of(unfinished(path)) == []
    for root in range(3):
        diamond(timeline, root, root * 10_000)
        assert len(calls_of(unfinished(path))) == 7 * (root + 1)
    timeline.call(-1, "a", Epoch(3), 90_000, 10)
    timeline.close()
    text = path.read_text()
    timeline.close()
    assert path.read_text() == text
    assert calls_of(whole(path))[-1]["args"] == {"node": "a", "epoch": "3"}
    first, *lines, last = text.splitlines()
    assert (first, last) == ("[", "]")
    assert [json.loads(line.removesuffix(",")) for line in lines] == whole(path)
    assert [line.endswith(",") for line in lines] == [True] * (len(lines) - 1) + [False]


def test_an_epoch_is_forgotten_when_it_is_written(path):
    timeline = Timeline(path, EDGES)
    timeline.call(-1, "a", Epoch(1), 0, 1)
    diamond(timeline)
    assert {call["args"]["epoch"] for call in calls_of(unfinished(path))} == {"0"}
    written = path.stat().st_size
    timeline.epoch(Epoch(0))
    assert path.stat().st_size == written
    timeline.close()
    assert sum(call["args"]["epoch"] == "1" for call in calls_of(whole(path))) == 2


def test_no_call_lies_before_the_first(path):
    timeline = Timeline(path, EDGES)
    timeline.call(-1, "a", Epoch(1), 1_000, 1)  # in flight beside epoch 0
    diamond(timeline)
    timeline.close()
    assert min(call["ts"] for call in calls_of(whole(path))) == 0.0


def test_sub_epochs_are_written_with_their_root(path):
    timeline = Timeline(path, [("m", "f"), ("f", "g")])
    root = Epoch(0)
    timeline.call(-1, "m", root, 0, 10)
    for at, sub in enumerate(root.make_subepochs("m", 3)):
        timeline.call(at, "f", sub, 20, 10 + at)
    timeline.call(-1, "g", root, 50, 10)
    timeline.epoch(root)
    events = unfinished(path)
    timeline.close()
    path_epochs = [call["args"]["epoch"] for call in calls_of(events)[-3:]]
    assert path_epochs == ["0", "(0, ('m', 2))", "0"]


def test_names_are_quoted(path):
    timeline = Timeline(path, [])
    name = 'a "quoted" \\ name, é\n'
    timeline.call(-1, name, Epoch(0), 0, 1)
    timeline.close()
    assert calls_of(whole(path))[0]["args"]["node"] == name


def test_what_is_there_is_overwritten(path):
    path.write_text("something longer than a timeline without a single call" * 9)
    Timeline(path, []).close()
    assert [event["name"] for event in whole(path)] == ["process_name"]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "no" / "such"):
        with pytest.raises(TimelineError, match="cannot write the timeline") as caught:
            Timeline(path, [])
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_once():
    with pytest.raises(TimelineError, match="/dev/full"):
        Timeline("/dev/full", [])


def test_after_an_error_nothing_is_written(path, monkeypatch):
    timeline = Timeline(path, EDGES)
    written = path.read_text()
    with Path(path).open("rb", buffering=0) as read_only:
        monkeypatch.setattr(timeline, "_file", read_only)
        with pytest.raises(TimelineError, match=str(path)):
            diamond(timeline)
        diamond(timeline, 1)
        timeline.close()
    assert path.read_text() == written


# --- tracks


PLACED = st.tuples(st.integers(-1, 3), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(st.lists(PLACED, max_size=9), max_size=9))
def test_slices_on_one_track_do_not_overlap(tmp_path_factory, epochs):
    """Whatever the epochs in flight do: given one call at a time in each place, so is the file."""
    path = tmp_path_factory.mktemp("timelines") / "timeline.json"
    timeline = Timeline(path, [(str(at), str(at + 1)) for at in range(9)])
    free = dict.fromkeys(range(-1, 4), 0)
    for root, calls in enumerate(epochs):
        for at, (place, pause, took) in enumerate(calls):
            begin = free[place] + pause
            free[place] = begin + took
            timeline.call(place, str(at), Epoch(root), begin, took)
    for root in range(len(epochs)):
        timeline.epoch(Epoch(root))
    timeline.close()
    by_track = {}
    for call in calls_of(whole(path)):
        by_track.setdefault(call["tid"], []).append(
            (round(call["ts"] * 1e3), round((call["ts"] + call["dur"]) * 1e3))
        )
    for slices in by_track.values():
        for (_, end), (begin, _) in pairwise(sorted(slices)):
            assert end <= begin


def test_paths_of_epochs_in_flight_lie_side_by_side(path):
    timeline = Timeline(path, EDGES)
    for root, shift in enumerate((0, 2_000, 7_000, 9_000)):
        diamond(timeline, root, shift)
    timeline.close()
    shown = tracks(whole(path))
    assert shown["critical path"] == shown["critical path 2"] == ["a", "c", "d"] * 2


def test_more_paths_than_there_are_tracks_for_are_only_marked(path):
    timeline = Timeline(path, [])
    for root in range(101):
        timeline.call(root, "a", Epoch(root), 0, 10)
        timeline.epoch(Epoch(root))
    timeline.close()
    events = whole(path)
    shown = tracks(events)
    assert len([name for name in shown if name.startswith("critical path")]) == 99
    assert len(shown) == 99 + 101
    assert {call["cat"] for call in calls_of(events)} == {"critical"}


# --- the critical path


def slice_(node_id, begin, end, epoch=None):
    return Slice(0, node_id, epoch or Epoch(0), begin, end - begin)


def names(path):
    return [call.node_id for call in path]


def test_a_call_of_no_calls_has_no_path():
    assert critical_path([], {}) == []


def test_what_began_before_its_source_had_ended_did_not_wait_for_it():
    sources = {"c": ["a", "b"]}
    calls = [slice_("a", 0, 4), slice_("b", 0, 6), slice_("c", 5, 9)]
    assert names(critical_path(calls, sources)) == ["a", "c"]


def test_only_epochs_above_and_below_lead_to_a_call():
    first, second = Epoch(0).make_subepochs("m", 2)
    calls = [
        slice_("m", 0, 1),
        slice_("f", 1, 3, first),
        slice_("f", 1, 8, second),
        slice_("g", 9, 12, first),
        slice_("g", 9, 10, second),
    ]
    sources = {"f": ["m"], "g": ["f"]}
    path = critical_path(calls, sources)
    assert names(path) == ["m", "f", "g"]
    assert path[1].epoch == first


@st.composite
def runs(draw):
    """Calls in random epochs of the nodes of a random graph; no two end at the same time."""
    count = draw(st.integers(1, 6))
    sources = {
        str(target): [str(source) for source in range(target) if draw(st.booleans())]
        for target in range(count)
    }
    root = Epoch(0)
    subs = root.make_subepochs("m", 2)
    epochs = [root, *subs, *subs[0].make_subepochs("k", 2)]
    ends = draw(st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=10))
    calls = [
        slice_(
            str(draw(st.integers(0, count - 1))),
            draw(st.integers(max(0, end - 6), end)),
            end,
            draw(st.sampled_from(epochs)),
        )
        for end in ends
    ]
    return calls, sources


def above(epoch):
    return [] if epoch.parent is None else [epoch.parent, *above(epoch.parent)]


def leads(one, other, sources):
    """The definition, for two calls."""
    return (
        one.node_id in sources[other.node_id]
        and one.end_ns <= other.begin_ns
        and (one.epoch in [other.epoch, *above(other.epoch)] or other.epoch in above(one.epoch))
    )


def chains(calls, sources, last):
    """All chains that end with this call and cannot be longer, each with its last call first."""
    before = [call for call in calls if leads(call, last, sources)]
    if not before:
        return [[last]]
    return [[last, *chain] for call in before for chain in chains(calls, sources, call)]


@given(runs())
def test_the_path_is_that_of_all_chains_which_ends_last_at_every_step(run):
    calls, sources = run
    every = [chain for call in calls for chain in chains(calls, sources, call)]
    expected = max(every, key=lambda chain: [call.end_ns for call in chain])
    assert critical_path(calls, sources) == expected[::-1]
