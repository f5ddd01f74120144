"""FastScheduler answers as noob_core's Scheduler does, in the same order, whatever is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noob.scheduler import Scheduler as NoobScheduler
from noob_core import Epoch, Scheduler
from noob_core.exceptions import NotAddedError, SchedulerExhaustedError

from noob_runners.testing.graphs import (
    SchedulerGraph,
    large_scheduler_graphs,
    misuse,
    scheduler_graphs,
    use,
)

sys.path.append(str(Path(__file__).parent))
from scheduler_help import Both, every_implementation, outcome, randoms, slowly


@every_implementation
@settings(max_examples=200, **slowly)
@given(graph=scheduler_graphs(), random=randoms)
def test_runs_are_equal(implementation: Any, graph: SchedulerGraph, random: Any) -> None:
    both = Both(implementation, graph)
    both.run(use(graph, random, 40), look_each=1)
    both.look_at_graph()


@every_implementation
@settings(max_examples=200, **slowly)
@given(graph=scheduler_graphs(12), random=randoms)
def test_misuses_are_equal(implementation: Any, graph: SchedulerGraph, random: Any) -> None:
    both = Both(implementation, graph)
    both.run(misuse(graph, random, 25), look_each=1)
    both.look_at_graph()


@every_implementation
@settings(max_examples=20, **slowly)
@given(graph=large_scheduler_graphs(300), random=st.randoms(use_true_random=True))
def test_large_runs_are_equal(implementation: Any, graph: SchedulerGraph, random: Any) -> None:
    both = Both(implementation, graph)
    both.run(use(graph, random, 150), look_each=20)
    both.look_at_graph()


@every_implementation
@settings(max_examples=200, **slowly)
@given(graph=scheduler_graphs(15, cyclic=True))
def test_cycles_are_found(implementation: Any, graph: SchedulerGraph) -> None:
    both = Both(implementation, graph)
    both.call("has_cycle")
    both.call("generations")


def required(*edges: str) -> list[tuple[str, str, str, str, bool]]:
    """Edges written as "source.signal target.slot", or with " ? " between them if optional."""
    parsed = []
    for edge in edges:
        source, *optional, target = edge.split()
        parsed.append((*source.split("."), *target.split("."), not optional))
    return parsed


UNLOCKS_IN_ORDER = required("a.s b.in", "b.s ? x.in", "b.s ? y.in", "b.s ? z.in")
A_STATEFUL_NODE_LOOKS_DOWN = required("a.s ? x.in", "a.t ? y.in", "a.u ? z.in")
LAST_NOTE_FILLS_THE_GAP = required(
    "p.s a.in", "a.s ? x.in", "a.s ? y.in", "a.s ? z.in", "a.t x.in", "x.s w.in"
)
SEEN_IS_NOT_FOLLOWED = required(
    "p.s ? a.in", "p.s b.in", "b.s q.b", "a.s q.a", "p.s ? n.in", "q.s n.in"
)
OPTIONAL_THEN_REQUIRED = required("p.s a.in", "a.s ? n.x", "a.s n.y", "n.s ? m.in", "p.t ? m.x")
ADDED_UPWARDS = required("c.s ? d.in", "b.s c.in", "a.s b.in", "a.t ? b.other", "a.s ? d.more")
EXCLUSIVE_BELOW = required(
    *["s.s x1.in", "s.s x3.in", "x1.s x2.in", "x3.s x4.in", "map.s d.m"],
    *[f"{source}.s d.{source}" for source in ["x1", "s", "x2", "x3", "x4", "y3", "y4", "y1", "y2"]],
)
NO_LONGER_READY = required(
    *["a.s b.in", "a.s c.in", "b.s ? x.in", "b.s ? y.in", "c.s ? v.in", "c.s ? w.in"]
)
FIRST_READY_THEN_NOT = required("b.s c.in", "d.s e.in", "a.s b.in", "f.s g.in", "c.s d.in")
INSIDE = Epoch(0, [("map", 0)])


@every_implementation
@pytest.mark.parametrize(
    ("edges", "calls"),
    [
        pytest.param(UNLOCKS_IN_ORDER, [("expire", 0, "a", "s")], id="unlocks in order"),
        pytest.param(
            A_STATEFUL_NODE_LOOKS_DOWN,
            [("expire", 0, "a", None, False, True)],
            id="a stateful node looks down",
        ),
        pytest.param(
            A_STATEFUL_NODE_LOOKS_DOWN,
            [("expire", 0, "meta", "previous_epoch"), ("expire", 1, "meta", "previous_epoch")],
            id="so does the previous epoch",
        ),
        pytest.param(
            LAST_NOTE_FILLS_THE_GAP, [("expire", 0, "p", "s")], id="the last note fills the gap"
        ),
        pytest.param(
            SEEN_IS_NOT_FOLLOWED, [("expire", 0, "p", "s")], id="what is seen is not followed"
        ),
        pytest.param(
            OPTIONAL_THEN_REQUIRED, [("expire", 0, "p", "s")], id="required replaces optional"
        ),
        pytest.param(ADDED_UPWARDS, [("expire", 0, "a", "s")], id="edges added upwards"),
        pytest.param(
            EXCLUSIVE_BELOW,
            [("add_epoch_at", INSIDE), ("done", 0, "s"), ("get_ready_at", INSIDE)],
            id="what is exclusive to a node expires in order",
        ),
        pytest.param(
            EXCLUSIVE_BELOW,
            [("done", 0, "y2"), ("done", 0, "s"), ("expire", 0, "map"), ("done", 0, "y4")],
            id="completing moves the last",
        ),
        pytest.param(
            NO_LONGER_READY,
            [("expire", 0, "a", "s"), ("expire", 0, "b", "s", True, False)],
            id="expiring keeps the order",
        ),
        pytest.param(FIRST_READY_THEN_NOT, [], id="ready until an edge says otherwise"),
    ],
)
@pytest.mark.parametrize("stateful", [False, True])
def test_the_order_of_what_becomes_ready(
    implementation: Any, edges: list[Any], calls: list[Any], *, stateful: bool
) -> None:
    names = dict.fromkeys(name for edge in edges for name in (edge[0], edge[2]))
    graph = SchedulerGraph(tuple((name, True, stateful) for name in names), tuple(edges))
    both = Both(implementation, graph)
    both.call("add_epoch")
    both.call("add_epoch")
    for method, *arguments in calls:
        both.call(method, *arguments)
        both.look()
    for _ in range(3):
        for epoch, node in both.call("get_ready"):
            both.call("done", epoch, node)
        both.look()
    both.look_at_graph()


@every_implementation
def test_the_log_forgets_the_oldest_and_counts_it_as_completed(implementation: Any) -> None:
    both = Both(implementation, SchedulerGraph((("a", True, None),), ()))
    for root in [*range(3, 1100), 0]:
        both.call("done", root, "a")
    for root in (0, 1, 2, 50, 99, 100, 101, 1099, 1100, 1101):
        both.call("epoch_completed", root)
    assert both.tested.epoch_log == both.reference.epoch_log
    assert len(both.tested.epoch_log) == 1000


@every_implementation
def test_epochs_that_wait_for_the_first_alone_end_with_it(implementation: Any) -> None:
    """More of them than Python's stack is deep, were it done by recursion."""
    edges = required("source.s slow.in")
    tested = implementation([("source", True, False), ("slow", True, True)], edges)
    count = 1200
    tested.add_epoch()
    for root in range(count):
        tested.done(root, "source", with_signals=False)
        if root:
            tested.expire(root, "source", "s")
            tested.expire(root, "slow")
        else:
            tested.done(0, "source", "s")
    assert tested.done(0, "slow") == [Epoch(root) for root in reversed(range(count))]


@every_implementation
def test_a_deep_graph_needs_no_stack(implementation: Any) -> None:
    count = 20_000
    nodes = [(f"n{number}", True, None) for number in range(count)]
    edges = [(f"n{k}", "s", f"n{k + 1}", "in", k % 100 > 0) for k in range(count - 1)]
    tested = implementation(nodes, edges)
    assert not tested.has_cycle()
    assert len(tested.generations()) == count
    epoch = tested.add_epoch()
    tested.done(epoch, "n0", with_signals=False)
    tested.expire(epoch, "n0", "s")
    assert tested.get_ready_at(epoch) == [(epoch, "n1")]  # its one edge is optional
    assert implementation(nodes, [*edges, (f"n{count - 1}", "s", "n0", "in", True)]).has_cycle()


@every_implementation
def test_an_unknown_name_is_refused_by_name(implementation: Any) -> None:
    tested = implementation([("a", True, None)], required("a.s b.in"))
    tested.add_epoch()
    for call in (
        lambda: tested.done(0, "nobody"),
        lambda: tested.done(0, "nobody", "s"),
        lambda: tested.expire(0, "nobody"),
        lambda: tested.node_is_ready("nobody", Epoch(0), subepochs=False),
        lambda: tested.node_is_done("nobody", Epoch(0)),
        lambda: tested.upstream_nodes("nobody"),
    ):
        with pytest.raises(NotAddedError, match="nobody"):
            call()
    with pytest.raises(NotAddedError, match="nothing"):
        tested.expire(0, "a", "nothing")


@every_implementation
@pytest.mark.parametrize("not_an_epoch", ["x", None, 1.0])
def test_what_is_no_epoch_is_refused(implementation: Any, not_an_epoch: Any) -> None:
    both = Both(implementation, SchedulerGraph((("a", True, None),), ()))
    assert outcome(both.reference, "is_active_at", (not_an_epoch,)) == ("raised", TypeError)
    both.call("is_active_at", not_an_epoch)
    both.call("get_ready_at", not_an_epoch)


@every_implementation
@pytest.mark.parametrize("out_of_range", [-1, 2**32])
def test_what_is_out_of_range_is_refused(implementation: Any, out_of_range: int) -> None:
    both = Both(implementation, SchedulerGraph((("a", True, None),), ()))
    assert outcome(both.reference, "is_active_at", (out_of_range,)) == ("raised", TypeError)
    both.call("is_active_at", out_of_range)


@every_implementation
def test_an_epoch_with_nothing_to_run_is_over_at_once(implementation: Any) -> None:
    tested = implementation([("a", False, None)], [])
    with pytest.raises(ValueError, match="epoch 0"):
        tested.done(0, "a")
    assert tested.done(0, "a") == tested.expire(1, "a") == []
    assert tested.epoch_log == {0, 1}
    with pytest.raises(ValueError, match="Epoch 2 cannot have sub-epochs"):
        tested.add_epoch_at(Epoch(2, [("a", 0)]))


SUBEPOCHS_IN_ORDER = """
from noob_core import Epoch
from {module} import {name} as Scheduler

nodes = [("zeta", True, None), ("off", False, None), ("alpha", True, None), ("mid", True, None)]
edges = [("mid", "s", "end", "in", True), ("alpha", "s", "off", "in", True),
         ("zeta", "s", "mid", "in", True), ("alpha", "s", "end", "other", True)]
scheduler = Scheduler(nodes, edges)
names = ["alpha", "zeta", "end", "off", "mid"]
print(sorted(Epoch(0, [(name, 0)]) for name in names))
"""


@every_implementation
def test_names_rank_as_noob_core_ranks_them(implementation: Any) -> None:
    """In processes of their own, for the first to hear of a name decides for all its schedulers."""

    def ranked(scheduler: type) -> str:
        code = SUBEPOCHS_IN_ORDER.format(module=scheduler.__module__, name=scheduler.__name__)
        run = [sys.executable, "-c", code]
        return subprocess.run(run, check=True, capture_output=True, text=True, timeout=60).stdout

    assert ranked(implementation) == ranked(Scheduler)


class Record:
    """Anything with attributes: as much of a node's or an edge's specification as is read."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def stock_scheduler(graph: SchedulerGraph) -> NoobScheduler:
    fields = ("source_node", "source_signal", "target_node", "target_slot", "required")
    nodes = {name: Record(enabled=on, stateful=state) for name, on, state in graph.nodes}
    edges = [Record(**dict(zip(fields, edge, strict=True))) for edge in graph.edges]
    return NoobScheduler(nodes=nodes, edges=edges)


def first_batch(scheduler: NoobScheduler) -> Any:
    """What NOOB's own epoch loop does first: None if it ends at once, or what it raises."""
    batches = scheduler.iter_epoch()
    try:
        events = next(batches)
    except SchedulerExhaustedError as error:
        return error
    return [(event["epoch"], event["value"]) for event in events] or None


@every_implementation
@settings(max_examples=100, **slowly)
@given(graph=scheduler_graphs(8), random=randoms)
def test_begin_is_what_noob_does_first(
    implementation: Any, graph: SchedulerGraph, random: Any
) -> None:
    stock, tested = stock_scheduler(graph), implementation(list(graph.nodes), list(graph.edges))
    for _ in range(6):
        expected = first_batch(stock)
        if isinstance(expected, SchedulerExhaustedError):
            with pytest.raises(SchedulerExhaustedError, match=str(expected)):
                tested.begin()
            break
        epoch = tested.begin()
        got = None if epoch is None else tested.get_ready_at(epoch) or None
        assert got == expected
        events = [
            (at, node, signal, False, random.random() < 0.3)
            for at, node in got or ()
            for signal in graph.signals()[node] or ["value"]
            if random.random() < 0.9
        ]
        assert outcome(tested, "update", (events,)) == outcome(stock._core, "update", (events,))
        assert tested.epoch_log == stock.epoch_log


@every_implementation
@settings(max_examples=50, **slowly)
@given(graph=scheduler_graphs(20))
def test_a_batch_is_done_as_its_nodes_are(implementation: Any, graph: SchedulerGraph) -> None:
    both = Both(implementation, graph)
    epoch = both.call("add_epoch")
    for _ in range(len(graph.nodes) + 1):
        ready = both.call("get_ready_at", epoch)
        if not ready:
            break
        one_by_one = [ended for at, node in ready for ended in both.reference.done(at, node)]
        assert both.tested.done_many(ready) == one_by_one
        both.look()


@every_implementation
def test_a_batch_names_what_it_does_not_know(implementation: Any) -> None:
    tested = implementation([("a", True, None)], [])
    with pytest.raises(NotAddedError, match="stranger"):
        tested.done_many([(Epoch(0), "stranger")])
    with pytest.raises(TypeError):
        tested.done_many([3])
