"""FastScheduler's arrays say what its lists say, and the critical path goes first where asked."""

from __future__ import annotations

import heapq
import sys
from array import array
from functools import cache
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import noob_core
import pytest
from hypothesis import given, settings
from noob_core import Epoch
from noob_core.exceptions import AlreadyDoneError, NotAddedError

from noob_runners.components import scheduler_py
from noob_runners.testing.graphs import SchedulerGraph, scheduler_graphs, use

sys.path.append(str(Path(__file__).parent))
from scheduler_help import Both, every_implementation, native, outcome, randoms, slowly

if TYPE_CHECKING:
    from collections.abc import Callable

    import noob_fast
    from noob_runners.components.interfaces import Scheduler

    CONFORM: tuple[Callable[..., Scheduler], ...] = (
        scheduler_py.FastScheduler,
        noob_fast.FastScheduler,
    )

BRANCHES = SchedulerGraph(
    tuple((name, True, None) for name in ("short", "other", "long", "longer", "longest")),
    (("long", "s", "longer", "in", True), ("longer", "s", "longest", "in", True)),
)


def made(implementation: Any, graph: SchedulerGraph = BRANCHES, **options: Any) -> Any:
    return implementation(list(graph.nodes), list(graph.edges), **options)


def one_by_one(scheduler: Any, epoch: Epoch, nodes: list[str]) -> tuple[str, Any]:
    """What it comes to if nodes are done each by itself, as far as that goes."""
    ended: list[Epoch] = []
    for node in nodes:
        done, answer = outcome(scheduler, "done", (epoch, node))
        if done != "returned":
            return done, answer
        ended += answer
    return "returned", ended


@every_implementation
@settings(max_examples=60, **slowly)
@given(graph=scheduler_graphs(20), random=randoms)
def test_arrays_say_what_lists_say(implementation: Any, graph: SchedulerGraph, random: Any) -> None:
    both = Both(implementation, graph)
    names = both.tested.node_names()
    epochs = [both.call("add_epoch")]
    held: list[tuple[Epoch, int]] = []
    for turn in range(2 * len(names)):
        if turn == 1 and random.random() < 0.5:
            epochs.append(epochs[0] / (random.choice(names), 0))
            both.call("add_epoch_at", epochs[-1])
        ready = [(at, number) for at in epochs for number in both.tested.ready_array(at)]
        listed = both.reference.get_ready_at(epochs[0])
        assert [(at, names[number]) for at, number in ready] == listed
        held += ready
        if not held:
            break
        at = random.choice(held)[0]
        batch = [number for epoch, number in held if epoch == at]
        batch = random.sample(batch, random.randint(1, len(batch)))
        held = [(epoch, number) for epoch, number in held if epoch != at or number not in batch]
        if random.random() < 0.1:
            batch.append(random.randrange(len(names)))  # done twice, early, or not in this epoch
        expected = one_by_one(both.reference, at, [names[number] for number in batch])
        assert outcome(both.tested, "done_array", (at, array("I", batch))) == expected
        both.look()


@every_implementation
def test_a_node_with_several_signals_may_be_done_before_its_turn(implementation: Any) -> None:
    nodes = [(name, True, None) for name in "nabc"]
    edges = [
        ("input", "s", "n", "in", True),
        ("n", "one", "a", "in", True),
        ("n", "one", "b", "in", True),
        ("n", "two", "c", "in", True),
    ]
    answers = []
    for scheduler in (noob_core.Scheduler(nodes, edges), implementation(nodes, edges)):
        epoch = scheduler.add_epoch()
        scheduler.done(epoch, "n")
        answers.append(scheduler.get_ready_at(epoch))
    assert answers[0] == answers[1]


@every_implementation
def test_nodes_have_the_index_of_their_name(implementation: Any) -> None:
    nodes = [("b", True, None), ("a", False, None), ("b", True, True)]
    tested = implementation(nodes, [("input", "s", "c", "in", True), ("b", "s", "a", "in", True)])
    assert tested.node_names() == ["b", "a", "input", "c"]
    ready = tested.ready_array(tested.add_epoch())
    assert memoryview(ready).format == "I"
    assert list(ready) == [2, 0]


@every_implementation
def test_a_batch_is_done_up_to_its_culprit(implementation: Any) -> None:
    tested = made(implementation)
    names = tested.node_names()
    for root, (batch, error, name) in enumerate(
        [
            ([0, 9, 1], NotAddedError, "index 9 .* 5"),
            ([0, 0, 1], AlreadyDoneError, "short"),
        ]
    ):
        tested.add_epoch_at(root)
        assert list(tested.ready_array(root)) == [2, 0, 1]
        with pytest.raises(error, match=name):
            tested.done_array(root, array("I", batch))
        assert [tested.node_is_done(name, root) for name in names[:3]] == [True, False, False]
    with pytest.raises(TypeError, match="not an epoch"):
        tested.done_array(-1, array("I"))
    assert tested.done_array(7, array("I")) == []


@every_implementation
@pytest.mark.parametrize(
    ("culprit", "error"),
    [
        ((Epoch(0), "stranger"), NotAddedError),
        ((Epoch(0), "short"), AlreadyDoneError),
        ((None, "long"), TypeError),
        ((Epoch(0), 3), (TypeError, NotAddedError)),
        ((Epoch(0),), (TypeError, ValueError)),
    ],
    ids=["unknown", "twice", "no epoch", "no name", "no pair"],
)
def test_a_list_is_done_up_to_its_culprit(implementation: Any, culprit: Any, error: Any) -> None:
    tested = made(implementation)
    epoch = tested.add_epoch()
    with pytest.raises(error):
        tested.done_many([(epoch, "short"), culprit, (epoch, "other")])
    assert [tested.node_is_done(name, epoch) for name in ("short", "other")] == [True, False]


@every_implementation
@pytest.mark.parametrize(
    "given_",
    [
        [0],
        None,
        array("i", [0]),
        array("Q", [0]),
        bytes(4),
        memoryview(bytes(16)).cast("I", (2, 2)),
        memoryview(bytes(4)).cast("I", ()),
    ],
    ids=["list", "nothing", "signed", "64 bits", "bytes", "two dimensions", "none"],
)
def test_what_is_no_array_of_indices_is_refused(implementation: Any, given_: Any) -> None:
    tested = made(implementation)
    epoch = tested.add_epoch()
    with pytest.raises(TypeError, match="32-bit"):
        tested.done_array(epoch, given_)
    assert not tested.node_is_done("short", epoch)


@every_implementation
def test_any_buffer_of_the_right_kind_will_do(implementation: Any) -> None:
    tested = made(implementation)
    epoch = tested.add_epoch()
    every_other = memoryview(array("I", [0, 1, 2, 1]))[::2]
    assert tested.done_array(epoch, every_other) == []
    assert [tested.node_is_done(name, epoch) for name in ("short", "other", "long")] == [
        True,
        False,
        True,
    ]


def ranks(graph: SchedulerGraph, costs: dict[str, float]) -> Callable[[str], float]:
    """Each node's upward rank, as it is defined."""
    disabled = {name for name, enabled, _ in graph.nodes if not enabled}

    @cache
    def rank(node: str) -> float:
        after = [target for source, _, target, _, _ in graph.edges if source == node]
        return max((rank(t) for t in after if t not in disabled), default=0) + costs.get(node, 1)

    return rank


def random_costs(graph: SchedulerGraph, random: Any) -> dict[str, float]:
    names = [name for name, _, _ in graph.nodes]
    return {name: random.choice([0, 1, 2.5, 7]) for name in names if random.random() < 0.7}


@every_implementation
@settings(max_examples=60, **slowly)
@given(graph=scheduler_graphs(20), random=randoms)
def test_the_critical_path_goes_first(
    implementation: Any, graph: SchedulerGraph, random: Any
) -> None:
    costs = random_costs(graph, random)
    rank = ranks(graph, costs)
    tested = made(implementation, graph, priority="critical_path", costs=costs)
    usual = made(implementation, graph)
    names = tested.node_names()
    epoch = tested.add_epoch()
    assert usual.add_epoch() == epoch
    for _ in names:
        expected = usual.get_ready_at(epoch)
        expected.sort(key=lambda pair: -rank(pair[1]))
        if random.random() < 0.5:
            assert tested.get_ready_at(epoch) == expected
        else:
            assert [(epoch, names[at]) for at in tested.ready_array(epoch)] == expected
        for at, node in expected:
            assert tested.done(at, node) == usual.done(at, node)


@pytest.mark.skipif(not isinstance(native(), type), reason="noob_fast is not installed")
@settings(max_examples=60, **slowly)
@given(graph=scheduler_graphs(20), random=randoms)
def test_native_and_twin_agree_on_the_critical_path(graph: SchedulerGraph, random: Any) -> None:
    """In sub-epochs too, and when nodes are exhausted."""
    options = {"priority": "critical_path", "costs": random_costs(graph, random)}
    twin = made(scheduler_py.FastScheduler, graph, **options)
    tested = made(native(), graph, **options)
    script, answer = use(graph, random, 40), None
    while True:
        try:
            method, arguments = script.send(answer)
        except StopIteration:
            break
        expected = outcome(twin, method, arguments)
        assert outcome(tested, method, arguments) == expected
        answer = expected[1] if expected[0] == "returned" else None


def makespan(scheduler: Any, costs: dict[str, float], workers: int) -> float:
    """How long an epoch takes if each worker that is free begins the first node that is ready."""
    epoch = scheduler.add_epoch()
    ready: list[str] = []
    running: list[tuple[float, str]] = []
    now = 0.0
    while scheduler.is_active_at(epoch):
        ready += [node for _, node in scheduler.get_ready_at(epoch)]
        while ready and len(running) < workers:
            node = ready.pop(0)
            heapq.heappush(running, (now + costs[node], node))
        now, node = heapq.heappop(running)
        scheduler.done(epoch, node)
    return now


@every_implementation
def test_the_critical_path_ends_earlier_where_the_usual_order_leaves_it_for_last(
    implementation: Any,
) -> None:
    names = [f"short{number}" for number in range(4)]
    graph = SchedulerGraph(
        tuple((name, True, None) for name in [*names, "a", "b", "c", "start", "end"]),
        (
            *[("start", "s", name, "in", True) for name in [*names, "a"]],
            ("a", "s", "b", "in", True),
            ("b", "s", "c", "in", True),
            *[(name, "s", "end", name, True) for name in [*names, "c"]],
        ),
    )
    costs = dict.fromkeys([*names, "a", "b", "c"], 2.0) | {"start": 1.0, "end": 1.0}
    usual = makespan(made(implementation, graph), costs, 2)
    tested = makespan(made(implementation, graph, priority="critical_path", costs=costs), costs, 2)
    # by the usual order the long way begins only when all that is short has been begun
    assert (tested, usual) == (10.0, 12.0)


@every_implementation
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"priority": "random"}, ValueError, "'order' or 'critical_path', not 'random'"),
        ({"costs": {"short": 1}}, ValueError, "'critical_path'"),
        ({"priority": "critical_path", "costs": {"x": 1}}, NotAddedError, "'x'"),
        ({"priority": "critical_path", "costs": {"long": -1}}, ValueError, "'long'.* -1"),
        ({"priority": "critical_path", "costs": {"long": nan}}, ValueError, "'long'.*(?i:nan)"),
        ({"priority": "critical_path", "costs": {"long": inf}}, ValueError, "'long'.* inf"),
    ],
)
def test_what_makes_no_priority_is_refused(
    implementation: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        made(implementation, **options)
