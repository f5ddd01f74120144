"""What allows one epoch at a time only, and nodes that are switched between epochs."""

from __future__ import annotations

import sys
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from noob import SynchronousRunner

from noob_runners.testing import equal
from noob_runners.testing.spec import asset, node

sys.path.append(str(Path(__file__).parent))
from flights_help import BOTH
from multiprocess_help import load, nothing_left, own
from multiprocess_nodes import HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with nothing_left():
        yield


@BOTH
def test_with_callbacks_epochs_come_one_by_one(make: Callable[..., Any]) -> None:
    HERE.update(open=[], taken=0)
    tube = load(s=own("bounded"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    seen = []
    one = make(tube)
    one.add_callback(lambda event: seen.append((event["node_id"], event["value"])))
    with one:
        for at, result in enumerate(one.process_many(repeat({}, 8))):
            assert result == at
            HERE["taken"] += 1
    assert HERE["open"] == [1] * 8
    assert [item for item in seen if item[0] == "a"] == [("a", at) for at in range(8)]


@BOTH
def test_a_callback_that_comes_later_sees_what_is_not_handed_back(make: Callable[..., Any]) -> None:
    tube = load(s=own("numbers"), a=own("quick", "s.value"), r=node("return", depends="a.value"))
    with make(tube) as one:
        many = one.process_many(repeat({}, 12))
        assert [next(many), next(many)] == [0, 1]
        seen = []
        one.add_callback(lambda event: seen.append((event["node_id"], event["value"])))
        assert list(many) == list(range(2, 12))
        assert ("a", 11) in seen


@BOTH
def test_with_assets_epochs_come_one_by_one(make: Callable[..., Any]) -> None:
    HERE.update(open=[], taken=0)
    nodes = {
        "assets": {"box": asset("Box", "runner")},
        "s": own("bounded"),
        "a": own("quick", "s.value"),
        "b": node("nodes.bump", box="assets.box", value="a.value"),
        "r": node("return", depends="b.count"),
    }
    with make(load(**nodes)) as one:
        results = []
        for result in one.process_many(repeat({}, 8)):
            results.append(result)
            HERE["taken"] += 1
    assert HERE["open"] == [1] * 8
    HERE.update(open=[], taken=0)
    with SynchronousRunner(load(**nodes)) as reference:
        assert results == [reference.process() for _ in range(8)]


@BOTH
@pytest.mark.parametrize("name", ["b", "k", "a"])
def test_nodes_are_switched_between_runs(make: Callable[..., Any], name: str) -> None:
    nodes = {
        "s": own("numbers"),
        "a": own("quick", "s.value"),
        "b": own("quick", "a.value"),
        "k": own("Seen", "s.value"),
        "c": node("nodes.optional", first="b.value", second="k.value", third="s.value"),
        "r": node("return", depends="c.value"),
    }

    def play(one: Any) -> list[Any]:
        seen = [one.run(n=3)]
        one.disable_node(name)
        seen.append(one.run(n=3))
        one.enable_node(name)
        return [*seen, one.run(n=3)]

    with SynchronousRunner(load(**nodes)) as reference:
        expected = play(reference)
    with make(load(**nodes)) as one:
        assert equal(play(one), expected)


@BOTH
def test_a_node_is_switched_between_results(make: Callable[..., Any]) -> None:
    """It counts for every epoch that is handed back after it."""
    tube = load(
        s=own("numbers"),
        a=own("quick", "s.value"),
        b=own("quick", "a.value"),
        c=node("nodes.optional", first="b.value", second="s.value"),
        r=node("return", depends="c.value"),
    )
    with make(tube) as one:
        many = one.process_many(repeat({}, 12))
        assert [next(many) for _ in range(2)] == [[0, 0, None], [1, 1, None]]
        one.disable_node("b")
        assert [next(many) for _ in range(3)] == [None, None, None]
        one.enable_node("b")
        rest = list(many)
    assert len(rest) == 7
    # What sources had emitted for epochs that were begun with other nodes is gone.
    drawn = [first for first, _, _ in rest]
    assert drawn == sorted(set(drawn))
    assert drawn[0] >= 5
    assert [second for _, second, _ in rest] == drawn
