"""MultiProcessRunner: large values, and what it says of itself."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import pairwise, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from noob import SynchronousRunner, Tube

from noob_runners.testing.spec import node

sys.path.append(str(Path(__file__).parent))
from multiprocess_help import load, nothing_left, own, runner
from multiprocess_nodes import Odd

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)

SIZE = 400_000
"""Elements of the large arrays, of 8 bytes each."""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with nothing_left():
        yield


def remote(tube: Tube, **options: Any) -> Any:
    return runner(tube, placement="remote", **options)


# --- large values


def test_large_arrays_through_chains_and_branches() -> None:
    tube = load(
        s=own("numbers"),
        x=own("ramp", "s.value", params={"size": SIZE}),
        a=own("plus_one", "x.value"),
        b=own("plus_one", "a.value"),
        c=own("plus_one", "x.value"),
        d=own("add", "b.value", "c.value"),
        t=own("total", "d.value"),
        r=node("return", x="x.value", d="d.value", t="t.value"),
    )
    base = np.arange(SIZE, dtype=np.float64)
    with remote(tube) as one:
        results = one.run(n=6)
    # They are good after the end of the workers that made them.
    for at, result in enumerate(results):
        np.testing.assert_array_equal(result["x"], base + at)
        np.testing.assert_array_equal(result["d"], 2 * (base + at) + 3)
        assert result["t"] == (2 * (base + at) + 3).sum()
        assert result["d"].flags.writeable


def test_large_arrays_from_here() -> None:
    """Made in this process, by a node that stays, and taken by one that stays."""
    tube = load(
        s=own("numbers"),
        x=own("ramp", "s.value", params={"size": SIZE}),
        a=own("plus_one", "x.value"),
        t=own("total", "a.value"),
        r=node("return", x="x.value", a="a.value", t="t.value"),
    )
    with runner(tube, placement={"x": "local", "a": "remote", "t": "local"}) as one:
        for at, result in enumerate(one.run(n=4)):
            assert result["a"][0] == at + 1
            assert result["t"] == (result["x"] + 1).sum()


def test_what_a_node_changes_in_place_changes_for_no_other() -> None:
    """Each node has the value as it was emitted, and so has who takes the result."""
    tube = load(
        s=own("numbers"),
        x=own("ramp", "s.value", params={"size": SIZE}),
        a=own("spoil", "x.value"),
        t=own("total", "x.value"),
        b=own("spoil", "x.value"),
        u=own("total", "x.value"),
        r=node("return", x="x.value", a="a.value", b="b.value", t="t.value", u="u.value"),
    )
    base = np.arange(SIZE, dtype=np.float64)
    modes = dict.fromkeys("abtu", "remote") | {"x": "local"}
    with runner(tube, placement=modes) as one:
        for at, result in enumerate(one.run(n=4)):
            expected = base + at
            assert (result["a"], result["b"]) == (-1.0, -1.0)
            assert (result["t"], result["u"]) == (expected.sum(), expected.sum())
            np.testing.assert_array_equal(result["x"], expected)


def test_large_arrays_in_subepochs_and_gathers() -> None:
    tube = load(
        s=own("numbers"),
        l=own("ten", "s.value"),
        m=node("map", "l.value"),
        x=own("ramp", "m.value", params={"size": SIZE // 4}),
        a=own("plus_one", "x.value"),
        g=node("gather", value="a.value", n="m.n"),
        r=node("return", depends="g.value"),
    )
    with remote(tube) as one:
        for at, result in enumerate(one.run(n=3)):
            assert [array[0] for array in result] == [10 * at + 1, 10 * at + 2, 10 * at + 3]
            assert all(array[-1] == array[0] + SIZE // 4 - 1 for array in result)


def test_callbacks_and_the_store_have_values_not_parcels() -> None:
    tube = load(
        s=own("numbers"),
        x=own("ramp", "s.value", params={"size": SIZE}),
        r=node("return", depends="x.value"),
    )
    seen = []
    one = remote(tube)
    one.add_callback(lambda event: seen.append(type(event["value"])))
    with one:
        one.process()
        assert np.ndarray in seen
        stored = [event["value"] for event in one.store.flat_events if event["node_id"] == "x"]
        assert [type(value) for value in stored] == [np.ndarray]


# --- what it says of itself


def test_counts_add_up() -> None:
    tube = load(
        s=own("numbers"),
        a=own("quick", "s.value"),
        b=own("lazy", "a.value"),
        l=own("ten", "s.value"),
        m=node("map", "l.value"),
        c=own("quick", "m.value"),
        k=own("Seen", "s.value"),
        r=node("return", b="b.value", c="c.value", k="k.value"),
    )
    with remote(tube) as one:
        one.run(n=6)
        stats = one.stats()
        calls = {name: (counts.calls, counts.remote_calls) for name, counts in stats.nodes.items()}
        assert calls == {
            "s": (6, 0),
            "a": (6, 6),
            "b": (6, 6),
            "l": (6, 6),
            "m": (6, 0),
            "c": (18, 18),
            "k": (6, 0),
            "r": (18, 0),  # which is called for each value of the map
        }
        assert stats.epochs == 6
        assert stats.nodes["b"].seconds >= 6 * 0.005
        for name, counts in stats.nodes.items():
            assert (counts.transport_s > 0) == (counts.nbytes > 0) == (counts.remote_calls > 0), (
                name
            )
        # A call may have several steps.
        sent = sum(worker.calls for worker in stats.workers)
        assert 0 < sent <= sum(counts.remote_calls for counts in stats.nodes.values())
        busy = sum(worker.busy_s for worker in stats.workers)
        away = sum(
            counts.seconds for counts in stats.nodes.values() if counts.calls == counts.remote_calls
        )
        assert busy == pytest.approx(away)
        assert one.run(n=2) is not None
        assert one.stats().epochs == 8
        text = str(one.stats())
    assert "8 epochs" in text
    after = one.stats()
    assert after.nodes["c"].remote_calls == 24
    assert sum(worker.calls for worker in after.workers) > sent


def test_counts_of_calls_here_are_there_at_any_time() -> None:
    tube = load(s=own("numbers"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    with runner(tube, placement="local") as one:
        assert one.stats().nodes == {}
        for at in range(1, 4):
            one.process()
            assert {name: counts.calls for name, counts in one.stats().nodes.items()} == {
                "s": at,
                "a": at,
                "r": at,
            }


def timeline(path: Path) -> list[dict[str, Any]]:
    """The slices of the calls, without the critical path's, which come twice."""
    events = json.loads(path.read_text())
    tracks = {
        event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"
    }
    slices = [event for event in events if event["ph"] == "X"]
    for event in slices:
        assert event["dur"] >= 0
        event["track"] = tracks[event["tid"]]
    return [event for event in slices if not event["track"].startswith("critical")]


@pytest.mark.parametrize("callbacks", [False, True])
def test_a_timeline_has_a_slice_for_each_call(
    callbacks: bool,  # noqa: FBT001 (a parameter of a test)
    tmp_path: Path,
) -> None:
    tube = load(
        s=own("numbers"),
        a=own("quick", "s.value"),
        b=own("quick", "a.value"),
        l=own("ten", "s.value"),
        m=node("map", "l.value"),
        c=own("quick", "m.value"),
        g=node("gather", value="c.value", n="m.n"),
        r=node("return", b="b.value", g="g.value"),
    )
    path = tmp_path / "timeline.json"
    one = remote(tube, timeline=path)
    if callbacks:
        one.add_callback(lambda event: None)
    with one:
        one.run(n=4)
        stats = one.stats()
    slices = timeline(path)
    counted = Counter(event["args"]["node"] for event in slices)
    assert counted == {name: counts.calls for name, counts in stats.nodes.items()}
    away = Counter(event["args"]["node"] for event in slices if event["track"].startswith("worker"))
    assert away == {
        name: counts.remote_calls for name, counts in stats.nodes.items() if counts.remote_calls
    }
    calls = {(event["args"]["node"], event["args"]["epoch"]) for event in slices}
    # (A gather is called in each sub-epoch.)
    assert len(calls) == len(slices)
    for track in {event["track"] for event in slices if event["track"].startswith("worker")}:
        own_slices = sorted(
            (event["ts"], event["dur"]) for event in slices if event["track"] == track
        )
        for (begin, took), (following, _) in pairwise(own_slices):
            assert begin + took <= following + 0.002  # they are rounded to a nanosecond


def test_a_timeline_of_a_run_that_fails(tmp_path: Path) -> None:
    tube = load(
        s=own("numbers"),
        a=own("refuse", "s.value", params={"at": 3}),
        r=node("return", depends="a.value"),
    )
    path = tmp_path / "timeline.json"
    with remote(tube, timeline=path) as one, pytest.raises(Odd):
        one.run(n=9)
    done = {event["args"]["epoch"] for event in timeline(path) if event["args"]["node"] == "a"}
    assert {"0", "1", "2"} <= {epoch.strip("()").split(",")[0] for epoch in done}


def test_a_timeline_is_written_from_init_to_deinit(tmp_path: Path) -> None:
    tube = load(s=own("numbers"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    path = tmp_path / "timeline.json"
    one = remote(tube, timeline=path)
    assert not path.exists()
    for calls in (2, 3):
        with one:
            list(one.process_many(repeat({}, calls)))
        assert len([event for event in timeline(path) if event["args"]["node"] == "a"]) == calls


# --- as any runner


def test_a_stock_tube_and_a_spawned_pool() -> None:
    spec = load(
        s=own("numbers"), a=own("quick", "s.value"), r=node("return", depends="a.value")
    ).spec
    with SynchronousRunner(Tube.from_specification(spec.model_copy(deep=True))) as reference:
        expected = reference.run(n=5)
    with remote(Tube.from_specification(spec.model_copy(deep=True)), start_method="spawn") as one:
        assert one.run(n=5) == expected


def test_workers_are_one_a_cpu_without_a_number() -> None:
    tube = load(s=own("numbers"), a=own("pid", "s.value"), r=node("return", depends="a.value"))
    one = runner(tube, None)
    assert one.max_workers is not None
    assert one.max_workers >= 1
