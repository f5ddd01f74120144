"""Random graphs for schedulers, and random uses of them, to compare one scheduler with another.

A use is a generator of calls: it yields a `Call` and is sent what the call returned (None if it
raised), so that it can behave as a runner does without knowing who is asked. `misuse` calls
anything with anything; `use` runs epochs as a runner would: take what is ready, answer with events,
missing events, exhaustion, and sub-epochs as a map opens them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import strategies as st
from noob_core import Epoch

if TYPE_CHECKING:
    from random import Random

NodeFlags: TypeAlias = tuple[str, bool, bool | None]
Edge: TypeAlias = tuple[str, str, str, str, bool]
Event: TypeAlias = tuple[Epoch | int, str, str, bool, bool]
Call: TypeAlias = tuple[str, tuple[Any, ...]]
"""A method's name and its arguments."""

Use: TypeAlias = Generator[Call, Any, None]

_ROOTS = 4
"""Root epochs that `misuse` speaks of, and that `use` lets run at once."""

_DEPTH = 3
"""The greatest length of an epoch, its root counted."""


@dataclass(frozen=True)
class SchedulerGraph:
    """What a scheduler is constructed from.

    Attributes:
        nodes: name, enabled, stateful of each node.
        edges: source node, source signal, target node, target slot, required of each edge.
    """

    nodes: tuple[NodeFlags, ...]
    edges: tuple[Edge, ...]

    def signals(self) -> dict[str, list[str]]:
        """The signals of each node of which some enabled node takes one; [] for all others."""
        disabled = {name for name, enabled, _ in self.nodes if not enabled}
        signals: dict[str, list[str]] = {name: [] for name, _, _ in self.nodes}
        for source, signal, target, _, _ in self.edges:
            signals.setdefault(target, [])
            if target not in disabled and signal not in signals.setdefault(source, []):
                signals[source].append(signal)
        return signals


def scheduler_graphs(
    max_nodes: int = 40, *, cyclic: bool = False
) -> st.SearchStrategy[SchedulerGraph]:
    """Graphs with several signals a node, optional edges, disabled or stateful nodes, and oddities.

    The oddities are inputs and assets, nodes without edges, sources without specification, signals
    and slots used twice, and edges in an order that is not that of dependency.

    Args:
        max_nodes: the greatest number of nodes.
        cyclic: whether edges may also lead backwards.
    """
    return st.builds(
        _graph, st.randoms(use_true_random=False), st.integers(1, max_nodes), cyclic=st.just(cyclic)
    )


def large_scheduler_graphs(nodes: int) -> st.SearchStrategy[SchedulerGraph]:
    """The same with exactly so many nodes, from a seed: quick to draw, but not to be shrunk."""
    return st.builds(
        _graph, st.randoms(use_true_random=True), st.just(nodes), cyclic=st.just(value=False)
    )


def misuse(graph: SchedulerGraph, random: Random, calls: int) -> Use:
    """Call any method, in any order, on any node, signal and epoch (but not on unknown names).

    Some scripts call everything everywhere; others stay with few epochs, nodes and methods, and so
    come to states in which much is ready at once and the order of all that shows.
    """
    signals = graph.signals()
    names = list(signals) or ["input"]
    signals.setdefault("input", [])
    roots, depth = random.choice([(_ROOTS, 0.3), (1, 0.3), (1, 0)])
    openers = random.sample(names, min(len(names), 2)) if _chance(random, 0.5) else names
    narrow = _chance(random, 0.6)
    for _ in range(calls):
        node = random.choice(names)
        signal = random.choice([None, *signals[node]])
        epoch = Epoch(random.randrange(roots))
        while len(epoch) <= _DEPTH and _chance(random, depth):
            epoch /= (random.choice(openers), random.randrange(2))
        flags = [_chance(random, 0.5) for _ in range(2)]
        events = _any_events(signals, epoch, random)
        common: list[Call] = [
            ("get_ready_at", (epoch,)),
            *[("done", (epoch, node, signal, flags[0]))] * 4,
            *[("expire", (epoch, node, signal, *flags))] * 3,
        ]
        rare: list[Call] = [
            ("add_epoch", ()),
            ("add_epoch_at", (epoch,)),
            ("get_ready", ()),
            ("node_is_ready", (node, epoch, flags[0])),
            ("node_is_done", (node, epoch)),
            ("sources_finished", (epoch,)),
            ("epoch_completed", (epoch,)),
            ("upstream_nodes", (node,)),
            ("end_epoch", (epoch,)),
            *[("update", (events,))] * 4,
        ]
        yield random.choice(common if narrow else common + rare)


def use(graph: SchedulerGraph, random: Random, calls: int) -> Use:
    """Run some epochs, interleaved, until all is done or so many calls have been made."""
    signals = graph.signals()
    mapping = random.choice([0, 0, 0.2])
    mappers = {name for name in signals if _chance(random, mapping)}
    missing, exhaustion = random.choice([0, 0.1, 0.4]), random.choice([0, 0, 0.05])
    held: list[tuple[Epoch, str]] = []
    for turn in range(calls):
        if turn < _ROOTS and (turn == 0 or _chance(random, 0.4)):
            yield "add_epoch", ()
        epoch = yield "first_active_epoch", ()
        everywhere = epoch is None or _chance(random, 0.3)
        held += (yield ("get_ready", ()) if everywhere else ("get_ready_at", (epoch,))) or []
        if not held:
            if epoch is None:
                return
            continue
        if _chance(random, 0.3):
            random.shuffle(held)
        size = random.choice([1, 3, len(held)])
        batch, held = held[:size], held[size:]
        events: list[Event] = []
        for at, node in batch:
            emitted = signals[node] or ["value"]
            if _chance(random, exhaustion):
                events += [(at, node, signal, False, True) for signal in emitted]
            elif node in mappers and len(at) < _DEPTH and not _chance(random, missing):
                below = at.make_subepochs(node, random.randint(1, 3))
                events += [(inner, node, emitted[0], False, False) for inner in below]
                events += [(at, node, signal, False, False) for signal in emitted[1:]]
            else:
                gathers = len(at) > 1 and _chance(random, 0.1)
                outer = at.parents[0] if gathers else at
                events += [(outer, node, s, _chance(random, missing), False) for s in emitted]
        yield "update", (events,)


def _any_events(signals: dict[str, list[str]], epoch: Epoch, random: Random) -> list[Event]:
    events: list[Event] = []
    for _ in range(random.randint(1, 5)):
        node = random.choice([*signals, "stranger"])
        signal = random.choice([*signals.get(node, ()), "stranger"])
        at: Epoch | int = random.choice([epoch, epoch.root_epoch, *epoch.parents])
        if at == epoch.root_epoch and _chance(random, 0.5):
            at = epoch.root
        events.append((at, node, signal, _chance(random, 0.3), _chance(random, 0.05)))
    return events


def _graph(random: Random, size: int, *, cyclic: bool) -> SchedulerGraph:
    optional = random.choice([0, 0.2, 0.5, 0.8])
    order = random.choice(["dependency", "dependency", "nodes shuffled", "edges shuffled"])
    fan_in: list[int] = random.choice([[1], [0, 1, 1, 2], [0, 1, 1, 2, 2, 3]])
    span, slots = random.choice([0, 2, 8, size]), random.choice([1, 3])
    names = [f"n{number}" for number in range(size)]
    groups: list[list[Edge]] = []
    for number, target in enumerate(names):
        earlier = names[max(0, number - span) : number] if span else names[: min(number, 3)]
        if cyclic and _chance(random, 0.3):
            earlier = names
        groups.append(
            [
                (
                    *_source(random, earlier),
                    target,
                    f"slot{random.randrange(slots)}",
                    not _chance(random, optional),
                )
                for _ in range(random.choice(fan_in))
            ]
        )
    if order == "nodes shuffled":
        random.shuffle(groups)
    edges = [edge for group in groups for edge in group]
    if order == "edges shuffled":
        random.shuffle(edges)
    return SchedulerGraph(tuple(_flags(random, names)), tuple(edges))


def _source(random: Random, earlier: Sequence[str]) -> tuple[str, str]:
    if _chance(random, 0.01):
        return ("meta", "previous_epoch")
    if not earlier or _chance(random, 0.05):
        return (random.choice(["input", "assets"]), f"s{random.randrange(2)}")
    return (random.choice(earlier), f"s{random.choice([0, 0, 1, 2])}")


def _flags(random: Random, names: Sequence[str]) -> list[NodeFlags]:
    disabled, unspecified = random.choice([0, 0, 0.15]), random.choice([0, 0, 0.1])
    states: list[bool | None] = random.choice([[None], [False, None], [False, False, True], [True]])
    nodes: list[NodeFlags] = [
        (name, not _chance(random, disabled), random.choice(states))
        for name in [*names, "input"]
        if not _chance(random, unspecified)
    ]
    if _chance(random, 0.3):
        random.shuffle(nodes)
    return nodes


def _chance(random: Random, probability: float) -> bool:
    return random.random() < probability
