"""What a run has cost: counted call by call while it goes on, and told as one table.

A `Ledger` counts whole nanoseconds; `RunnerStats` is what it says at one moment, in seconds.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from noob_runners.executor import Result

__all__ = ["Ledger", "NodeStats", "RunnerStats", "WorkerCounts", "WorkerStats"]

_MOST_NODES = 20
"""How many nodes the table shows."""


class WorkerCounts(Protocol):
    """What is known of a worker: counters that only grow."""

    @property
    def calls(self) -> int:
        """How many calls it has answered."""

    @property
    def busy_ns(self) -> int:
        """Nanoseconds in which it ran calls."""

    @property
    def idle_ns(self) -> int:
        """Nanoseconds in which it waited for some."""


class NodeStats(NamedTuple):
    """What the calls of one node have cost."""

    calls: int
    """How many there were, wherever they ran. A call that failed in a worker is not counted."""
    remote_calls: int
    """How many of them ran in a worker."""
    seconds: float
    """Seconds in the node's own code."""
    transport_s: float
    """Seconds that the coordinator spent on sending and receiving its remote calls. The steps that
    travelled as one call have equal shares."""
    nbytes: int
    """Bytes sent and received for its remote calls, shared in the same way."""

    @property
    def mean_s(self) -> float:
        """Seconds in the node a call; 0 without calls."""
        return self.seconds / self.calls if self.calls else 0.0


class WorkerStats(NamedTuple):
    """What one worker has done."""

    calls: int
    busy_s: float
    """Seconds in which it ran calls."""
    idle_s: float
    """Seconds in which it waited for some."""

    @property
    def utilisation(self) -> float:
        """The share of its time in which it ran calls, 0 to 1; 0 for one that has had no time."""
        total = self.busy_s + self.idle_s
        return self.busy_s / total if total else 0.0


@dataclass(frozen=True, slots=True)
class RunnerStats:
    """What a run has cost until now. Its text is a table of the nodes that took most time."""

    epochs: int
    """How many root epochs have ended."""
    seconds: float
    """Seconds of wall time since counting began."""
    nodes: Mapping[str, NodeStats]
    """By id, those nodes that have been called."""
    workers: tuple[WorkerStats, ...]

    def __str__(self) -> str:
        parts = [f"{self.epochs:,} epochs in {_time(self.seconds)}", self._node_table()]
        if self.workers:
            parts.append(self._worker_table())
        return "\n\n".join(parts)

    def _node_table(self) -> str:
        heads = ("node", "calls", "remote", "in node", "a call", "transport", "bytes")
        ranked = sorted(self.nodes.items(), key=lambda item: (-item[1].seconds, item[0]))
        rows = [_node_row(*item) for item in ranked[:_MOST_NODES]]
        if len(ranked) > _MOST_NODES:
            rest = ranked[_MOST_NODES:]
            rows.append(_node_row(f"({len(rest):,} more)", _sum(node for _, node in rest)))
        rows.append(_node_row("(all)", _sum(self.nodes.values())))
        return _table(heads, rows)

    def _worker_table(self) -> str:
        heads = ("worker", "calls", "busy", "idle", "utilisation")
        return _table(
            heads,
            [
                (
                    str(number),
                    f"{worker.calls:,}",
                    _time(worker.busy_s),
                    _time(worker.idle_s),
                    f"{worker.utilisation:.0%}",
                )
                for number, worker in enumerate(self.workers)
            ],
        )


class Ledger:
    """Counts what calls cost. It begins when it is made; one thread feeds it, any may ask."""

    def __init__(self) -> None:
        self._begun_ns = time.monotonic_ns()
        self._epochs = 0
        # By node: calls, remote calls, ns in the node, ns of transport, bytes.
        self._nodes: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])

    def local(self, node_id: str, calls: int, ns: int) -> None:
        """Count calls of a node in this process, and the nanoseconds that they took together."""
        counts = self._nodes[node_id]
        counts[0] += calls
        counts[2] += ns

    def result(self, result: Result, node_ids: Sequence[str]) -> None:
        """Count what came of a call.

        Args:
            result: times and bytes are read, values are not. If no step of it was run, its way is
                the first step's.
            node_ids: the nodes of the call's steps, in their order.
        """
        clock = result.clock
        nodes = self._nodes
        if len(clock) == 2 and clock[0]:  # noqa: PLR2004 (one step: the usual case, in half the time)
            counts = nodes[node_ids[0]]
            counts[0] += 1
            counts[1] += 1
            counts[2] += clock[1]
            counts[3] += result.overhead
            counts[4] += result.nbytes
            return
        # The clock of a step that was not run shows 0; the values, which tell it too, may be of a
        # type that cannot be compared.
        ran = [at for at in range(0, len(clock), 2) if clock[at]]
        for at in ran:
            counts = nodes[node_ids[at >> 1]]
            counts[0] += 1
            counts[1] += 1
            counts[2] += clock[at + 1]
        sharing = [node_ids[at >> 1] for at in ran] or node_ids[:1]
        transport, rest = divmod(result.overhead, len(sharing))
        nbytes, bytes_rest = divmod(result.nbytes, len(sharing))
        for node_id in sharing:
            counts = nodes[node_id]
            counts[3] += transport
            counts[4] += nbytes
        counts = nodes[sharing[0]]  # what does not divide
        counts[3] += rest
        counts[4] += bytes_rest

    def epoch(self) -> None:
        """Count a root epoch that has ended."""
        self._epochs += 1

    def stats(self, workers: Iterable[WorkerCounts] = ()) -> RunnerStats:
        """Say what has been counted until now.

        Args:
            workers: the counters of each worker.
        """
        return RunnerStats(
            epochs=self._epochs,
            seconds=(time.monotonic_ns() - self._begun_ns) / 1e9,
            nodes={
                node_id: NodeStats(calls, remote, ns / 1e9, transport / 1e9, nbytes)
                # The list is made at once, so that another thread may go on counting.
                for node_id, (calls, remote, ns, transport, nbytes) in list(self._nodes.items())
            },
            workers=tuple(
                WorkerStats(worker.calls, worker.busy_ns / 1e9, worker.idle_ns / 1e9)
                for worker in workers
            ),
        )


def _sum(nodes: Iterable[NodeStats]) -> NodeStats:
    calls = remote = nbytes = 0
    seconds = transport = 0.0
    for node in nodes:
        calls += node.calls
        remote += node.remote_calls
        seconds += node.seconds
        transport += node.transport_s
        nbytes += node.nbytes
    return NodeStats(calls, remote, seconds, transport, nbytes)


def _node_row(name: str, node: NodeStats) -> tuple[str, ...]:
    return (
        name,
        f"{node.calls:,}",
        f"{node.remote_calls:,}",
        _time(node.seconds),
        _time(node.mean_s),
        _time(node.transport_s),
        f"{node.nbytes:,}",
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in (heads, *rows)
    )


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:,.1f} {unit}"
    return f"{seconds * 1e9:.0f} ns" if seconds else "0"
