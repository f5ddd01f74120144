"""A dependency graph as flat arrays, and what can be said about its shape.

Nodes are numbers in dependency order: every predecessor of a node is smaller than the node. That
one convention makes every pass over the graph a single sweep, and every cycle impossible.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from noob_workloads.errors import CyclicGraphError, InvalidGraphError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import ArrayLike, NDArray

MAX_EDGES = 2**31 - 1
"""Node numbers and edge positions fit 32 bits."""

_NARROW = 16
"""Nodes a wave below which a Python loop over them beats the fixed cost of numpy calls."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The shape of a graph whose nodes take a given time.

    Attributes:
        nodes: How many nodes there are.
        edges: How many dependencies between them.
        depth: Nodes on the longest path, which is the number of generations.
        width: Nodes in the largest generation (a node's generation is the longest way to it).
        work: Seconds of all nodes together.
        span: Seconds of the longest path: no machine can be faster.
        parallelism: Work over span, the greatest possible speedup (Brent's law). Where no node
            takes any time, every node counts the same.
        critical_path: The nodes of one longest path, first to last.
        content_hash: Identifies the dependencies, on every platform: 32 hexadecimal digits.
    """

    nodes: int
    edges: int
    depth: int
    width: int
    work: float
    span: float
    parallelism: float
    critical_path: tuple[int, ...]
    content_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Predecessors of every node in compressed rows (CSR); the arrays become read-only.

    Attributes:
        indptr: int64[nodes + 1]; node i's predecessors are `indices[indptr[i]:indptr[i + 1]]`.
        indices: int32[edges]; in each row ascending, and all smaller than the row's node.
        durations: float64[nodes], recorded seconds, where the graph comes from a recording.
        names: The nodes' own names, where they have any.

    Raises:
        InvalidGraphError: The arrays break one of these rules.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    durations: NDArray[np.float64] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the rules once, so that nothing later needs to."""
        indptr, indices = self.indptr, self.indices
        if indptr.dtype != np.int64 or indices.dtype != np.int32:
            msg = f"indptr must be int64 and indices int32, got {indptr.dtype} and {indices.dtype}"
            raise InvalidGraphError(msg)
        if indptr.size == 0 or indptr[0] != 0 or indptr[-1] != indices.size:
            raise InvalidGraphError(f"indptr must run from 0 to the {indices.size} edges")
        if (np.diff(indptr) < 0).any():
            raise InvalidGraphError("indptr must not descend")
        if indices.size:
            self._check_rows()
        for name in ("durations", "names"):
            extra = getattr(self, name)
            if extra is not None and len(extra) != self.nodes:
                raise InvalidGraphError(f"{len(extra)} {name} given for {self.nodes} nodes")
        for array in (indptr, indices, self.durations):
            if array is not None:
                array.setflags(write=False)

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return self.indptr.size - 1

    @property
    def edges(self) -> int:
        """How many dependencies there are."""
        return self.indices.size

    def predecessors(self, node: int) -> NDArray[np.int32]:
        """Predecessors of one node, ascending."""
        return self.indices[self.indptr[node] : self.indptr[node + 1]]

    def sinks(self) -> NDArray[np.int64]:
        """Nodes that no other node depends on, ascending."""
        last = np.ones(self.nodes, dtype=bool)
        last[self.indices] = False
        return np.flatnonzero(last)

    def content_hash(self) -> str:
        """Digest of the dependencies: the same on every platform, in every process."""
        digest = hashlib.blake2b(b"noob_workloads.Graph/1", digest_size=16)
        digest.update(np.ascontiguousarray(self.indptr, dtype="<i8").data)
        digest.update(np.ascontiguousarray(self.indices, dtype="<i4").data)
        return digest.hexdigest()

    def structure(self, durations: ArrayLike | None = None) -> Structure:
        """Depth, width, work, span and critical path.

        Args:
            durations: Seconds of each node, float[nodes]; None when they take no time.

        Raises:
            InvalidGraphError: Not one finite duration of at least 0 for each node.
        """
        seconds = np.zeros(self.nodes) if durations is None else np.asarray(durations, dtype=float)
        if seconds.shape != (self.nodes,) or not (np.isfinite(seconds) & (seconds >= 0)).all():
            raise InvalidGraphError(f"durations must be {self.nodes} finite numbers of at least 0")
        waves = self._waves()
        generations = self._finish(np.ones(self.nodes), waves).astype(np.int64)
        depth = int(generations.max(initial=0))
        work = float(seconds.sum())
        finish = self._finish(seconds, waves) if work else generations
        span = float(finish.max(initial=0)) if work else 0.0
        parallelism = work / span if span else self.nodes / max(depth, 1)
        return Structure(
            nodes=self.nodes,
            edges=self.edges,
            depth=depth,
            width=int(np.bincount(generations).max(initial=0)),
            work=work,
            span=span,
            parallelism=parallelism,
            critical_path=self._longest_path(finish),
            content_hash=self.content_hash(),
        )

    def _check_rows(self) -> None:
        rising = self.indices[1:] > self.indices[:-1]
        starts = self.indptr[1:-1]
        rising[starts[(starts > 0) & (starts < self.edges)] - 1] = True
        if not rising.all() or self.indices.min() < 0:
            raise InvalidGraphError("each node's predecessors must ascend from 0 or more")
        late = np.flatnonzero(self._last_predecessors() >= np.arange(self.nodes))
        if late.size:
            raise InvalidGraphError(f"node {late[0]} depends on itself or on a later node")

    def _last_predecessors(self) -> NDArray[np.int32]:
        """The largest predecessor of each node, -1 for a node without any."""
        last = np.full(self.nodes, -1, dtype=np.int32)
        has = np.diff(self.indptr) > 0
        last[has] = self.indices[self.indptr[1:][has] - 1]
        return last

    def _waves(self) -> list[int]:
        """Cut the numbering into runs of nodes that do not depend on each other."""
        cuts = [0]
        start = 0
        for node, last in enumerate(self._last_predecessors().tolist()):
            if last >= start:
                cuts.append(node)
                start = node
        cuts.append(self.nodes)
        return cuts

    def _finish(self, weights: NDArray[np.float64], waves: list[int]) -> NDArray[np.float64]:
        """Weight of the heaviest path that ends in each node, itself included."""
        indptr, indices = self.indptr, self.indices
        if self.nodes < _NARROW * len(waves):
            ends: list[float] = []
            flat = indices.tolist()
            for weight, (low, high) in zip(
                weights.tolist(), pairwise(indptr.tolist()), strict=True
            ):
                ends.append(weight + max(map(ends.__getitem__, flat[low:high]), default=0.0))
            return np.array(ends, dtype=np.float64)
        finish = weights.copy()
        for start, stop in pairwise(waves):
            low, high = indptr[start], indptr[stop]
            if low < high:
                inner = np.flatnonzero(np.diff(indptr[start : stop + 1]))
                best = np.maximum.reduceat(finish[indices[low:high]], indptr[start + inner] - low)
                finish[start + inner] += best
        return finish

    def _longest_path(self, finish: NDArray[np.float64] | NDArray[np.int64]) -> tuple[int, ...]:
        """Walk back from the last node to finish, each time to the predecessor it waited for."""
        if not self.nodes:
            return ()
        node = int(finish.argmax())
        path = [node]
        while (row := self.predecessors(node)).size:
            node = int(row[finish[row].argmax()])
            path.append(node)
        return tuple(reversed(path))


def in_dependency_order(
    predecessors: Sequence[AbstractSet[int]],
    names: Sequence[str],
    durations: Sequence[float] | None = None,
) -> Graph:
    """Number nodes that come in any order by generation, and in a generation as they came.

    Args:
        predecessors: For each node the nodes that it depends on.
        names: For each node its name.
        durations: For each node its recorded seconds, if there is a recording.

    Raises:
        CyclicGraphError: The dependencies form a cycle, which the message spells out.
    """
    count = len(predecessors)
    successors: list[list[int]] = [[] for _ in range(count)]
    for node, row in enumerate(predecessors):
        for source in row:
            successors[source].append(node)
    missing = [len(row) for row in predecessors]
    order: list[int] = []
    generation = [node for node in range(count) if not missing[node]]
    while generation:
        order += generation
        following = []
        for source in generation:
            for node in successors[source]:
                missing[node] -= 1
                if not missing[node]:
                    following.append(node)
        generation = sorted(following)
    if len(order) < count:
        cycle = " -> ".join(names[node] for node in _cycle(predecessors, missing))
        raise CyclicGraphError(f"the dependencies form a cycle: {cycle}")
    place = {node: number for number, node in enumerate(order)}
    rows = [sorted(place[source] for source in predecessors[node]) for node in order]
    return Graph(
        indptr=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        indices=np.array([source for row in rows for source in row], dtype=np.int32),
        durations=None if durations is None else np.array([durations[node] for node in order]),
        names=tuple(names[node] for node in order),
    )


def _cycle(predecessors: Sequence[AbstractSet[int]], missing: Sequence[int]) -> list[int]:
    """One cycle among the nodes that never became ready, first node repeated at the end."""
    node = next(node for node, count in enumerate(missing) if count)
    seen: dict[int, None] = {}
    while node not in seen:
        seen[node] = None
        # A node that never became ready waits for another one that never did.
        node = min(source for source in predecessors[node] if missing[source])
    path = list(seen)
    return [node, *reversed(path[path.index(node) :])]
