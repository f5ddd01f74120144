"""Schedulers: FastScheduler and its twin, noob_core's, and what else sorts a graph."""

from __future__ import annotations

import random
from abc import abstractmethod
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from noob_perf.measure.subject import (
    Operation,
    Subject,
    WrongResultError,
    expect,
    lacking,
    native,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from noob_perf.measure.subject import Case

CONSTRUCT = "construct"
EPOCH = "an epoch by generations"
ARRAYS = "an epoch by generations, as arrays"
WHOLE = "construct, then an epoch"
ADD_AND_END = "add an epoch and end it"


_WIDTH, _FAN_IN = 100, 2


def _layered(nodes: int) -> list[list[int]]:
    """Draw which nodes of the layer before each node depends on; a seed makes it the same again.

    A workload would do as well, but brings NOOB with it into every process.
    """
    rng = random.Random(0)  # noqa: S311 - a seed, no secret
    sources: list[list[int]] = []
    for node in range(nodes):
        first = node // _WIDTH * _WIDTH
        layer = range(max(0, first - _WIDTH), first)
        sources.append(sorted(rng.sample(layer, min(_FAN_IN, len(layer)))))
    return sources


class _Scheduler(Subject):
    """What all have in common: the graph, and the generations in which its nodes become ready."""

    def prepare(self) -> Mapping[str, Operation | str]:
        """Make a layered graph of two inputs a node, as plain numbers."""
        self.sources = _layered(self.case.size)
        depth: list[int] = []
        for sources in self.sources:
            depth.append(1 + max((depth[source] for source in sources), default=-1))
        self.expected: list[list[int]] = [[] for _ in range(max(depth) + 1)]
        for node, generation in enumerate(depth):
            self.expected[generation].append(node)
        self.make()
        return self.offer()

    def make(self) -> None:
        """Make tables and schedulers from the graph."""

    @abstractmethod
    def offer(self) -> Mapping[str, Operation | str]:
        """Return the operations."""

    def check(self, generations: Sequence[Sequence[int]]) -> None:
        """Check that every node was in its generation, and in no other."""
        expect(len(generations), len(self.expected), "the number of generations")
        for at, (got, wanted) in enumerate(zip(generations, self.expected, strict=True)):
            expect(sorted(got), wanted, f"generation {at}")


class _ByName(_Scheduler):
    """A scheduler with noob_core's constructor, which knows nodes by their names."""

    def __init__(self, kind: Any, case: Case) -> None:
        super().__init__(case)
        self.kind = kind

    def make(self) -> None:
        names = [f"n{node}" for node in range(len(self.sources))]
        self.number = {name: node for node, name in enumerate(names)}
        self.nodes = [(name, True, False) for name in names]
        self.edges = [
            (names[source], "value", names[node], str(slot), True)
            for node, sources in enumerate(self.sources)
            for slot, source in enumerate(sources)
        ]
        self.scheduler = self.construct()

    def construct(self) -> Any:
        return self.kind(self.nodes, self.edges)

    def offer(self) -> Mapping[str, Operation | str]:
        return {
            CONSTRUCT: Operation(lambda _: self.construct(), self.check_constructed),
            EPOCH: Operation(lambda _: self.run_epoch(self.scheduler), self.check_named),
            WHOLE: Operation(lambda _: self.run_epoch(self.construct()), self.check_named),
        }

    def run_epoch(self, scheduler: Any) -> list[Any]:
        generations = []
        epoch = scheduler.add_epoch()
        while scheduler.is_active_at(epoch):
            ready = scheduler.get_ready_at(epoch)
            generations.append(ready)
            self.finish(scheduler, ready)
        return generations

    def finish(self, scheduler: Any, ready: list[Any]) -> None:
        for epoch, name in ready:
            scheduler.done(epoch, name)

    def check_constructed(self, scheduler: Any) -> None:
        self.check_named(self.run_epoch(scheduler))

    def check_named(self, generations: list[list[tuple[Any, str]]]) -> None:
        self.check([[self.number[name] for _, name in ready] for ready in generations])


class _Fast(_ByName):
    """FastScheduler, which takes whole generations."""

    def offer(self) -> Mapping[str, Operation | str]:
        by_arrays = lacking(self.kind, "ready_array", "done_array", "node_names")
        return {
            **super().offer(),
            ARRAYS: by_arrays or Operation(lambda _: self.run_arrays(), self.check_arrays),
            ADD_AND_END: Operation(lambda _: self.add_and_end(), self.check_ended),
        }

    def finish(self, scheduler: Any, ready: list[Any]) -> None:
        scheduler.done_many(ready)

    def run_arrays(self) -> list[Any]:
        scheduler, generations = self.scheduler, []
        epoch = scheduler.add_epoch()
        while scheduler.is_active_at(epoch):
            ready = scheduler.ready_array(epoch)
            generations.append(ready)
            scheduler.done_array(epoch, ready)
        return generations

    def check_arrays(self, generations: list[Any]) -> None:
        names = self.scheduler.node_names()
        self.check(
            [[self.number[names[item]] for item in memoryview(ready)] for ready in generations]
        )

    def add_and_end(self) -> Any:
        epoch = self.scheduler.add_epoch()
        self.scheduler.end_epoch(epoch)
        return epoch

    def check_ended(self, epoch: Any) -> None:
        if self.scheduler.is_active_at(epoch):
            raise WrongResultError("the epoch is still active")


class Native(_Fast):
    """noob_fast's FastScheduler."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(native("FastScheduler"), case)


class Twin(_Fast):
    """FastScheduler in Python."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        super().__init__(twin("scheduler_py", "FastScheduler"), case)

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do, less what is asked of the native one beside noob_core's only."""
        return {name: one for name, one in super().offer().items() if name != WHOLE}


class NoobCore(_ByName):
    """NOOB's own scheduler."""

    def __init__(self, case: Case, _workers: int | None = None) -> None:
        """Find it."""
        from noob_core import Scheduler  # noqa: PLC0415 - only here

        super().__init__(Scheduler, case)


class Graphlib(_Scheduler):
    """The standard library's TopologicalSorter, which runs once: each epoch has one of its own."""

    def make(self) -> None:
        """Make the mapping that it takes."""
        self.graph = dict(enumerate(self.sources))

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do: its sorter is prepared as an epoch begins."""
        return {
            CONSTRUCT: Operation(
                lambda _: TopologicalSorter(self.graph), lambda made: self.check(_drained(made))
            ),
            EPOCH: Operation(_drained, self.check, lambda: TopologicalSorter(self.graph)),
        }


def _drained(sorter: TopologicalSorter[int]) -> list[tuple[int, ...]]:
    generations = []
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        generations.append(ready)
        sorter.done(*ready)
    return generations


class Rustworkx(_Scheduler):
    """rustworkx, as it comes: it looks for cycles, and checks what it is told."""

    checks = True

    def make(self) -> None:
        """Make the pairs of numbers that it takes, and the graph."""
        import rustworkx  # noqa: PLC0415 - an optional extra

        self.rustworkx = rustworkx
        self.pairs = [
            (source, node) for node, sources in enumerate(self.sources) for source in sources
        ]
        self.graph = self.construct()

    def construct(self) -> Any:
        """Make its graph."""
        graph = self.rustworkx.PyDiGraph()
        graph.add_nodes_from(range(len(self.sources)))
        graph.add_edges_from_no_data(self.pairs)
        return graph

    def run_epoch(self, graph: Any) -> list[Any]:
        """Sort by its TopologicalSorter, as it is made for schedulers."""
        generations = []
        sorter = self.rustworkx.TopologicalSorter(
            graph, check_cycle=self.checks, check_args=self.checks
        )
        while sorter.is_active():
            ready = sorter.get_ready()
            generations.append(ready)
            sorter.done(ready)
        return generations

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        return _offer_of(self)


class RustworkxUnchecked(Rustworkx):
    """rustworkx with all its checks off."""

    checks = False


class Networkx(_Scheduler):
    """networkx."""

    def make(self) -> None:
        """Make the pairs of numbers that it takes, and the graph."""
        import networkx as nx  # noqa: PLC0415 - an optional extra

        self.networkx = nx
        self.pairs = [
            (source, node) for node, sources in enumerate(self.sources) for source in sources
        ]
        self.graph = self.construct()

    def construct(self) -> Any:
        """Make its graph."""
        graph = self.networkx.DiGraph()
        graph.add_nodes_from(range(len(self.sources)))
        graph.add_edges_from(self.pairs)
        return graph

    def run_epoch(self, graph: Any) -> list[Any]:
        """Take its generations, which nothing can be reported back to."""
        return list(self.networkx.topological_generations(graph))

    def offer(self) -> Mapping[str, Operation | str]:
        """What it can do."""
        return _offer_of(self)


def _offer_of(subject: Rustworkx | Networkx) -> Mapping[str, Operation | str]:
    run: Callable[[Any], list[Any]] = subject.run_epoch
    return {
        CONSTRUCT: Operation(lambda _: subject.construct(), lambda made: subject.check(run(made))),
        EPOCH: Operation(lambda _: run(subject.graph), subject.check),
    }
