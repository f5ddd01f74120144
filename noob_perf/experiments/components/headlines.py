"""The figures that were announced for the components, as data, and what a run says to each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Findings
from noob_perf.experiments.components.buffers import BUFFER
from noob_perf.experiments.components.core import CORE, DECISIONS
from noob_perf.experiments.components.figures import (
    LEAST_SIZES,
    growth,
    median,
    ratio,
    reason,
)
from noob_perf.experiments.components.scheduler import GRAPH, NOOB_CORE
from noob_perf.experiments.components.serializer import PICKLE
from noob_perf.experiments.components.store import NOOB
from noob_perf.measure.subjects.buffers import OVERHEAD
from noob_perf.measure.subjects.schedulers import WHOLE
from noob_perf.measure.subjects.serializers import (
    BATCH,
    EACH,
    ENCODE,
    ROUND_TRIP,
    TABLE,
    TOGETHER,
)
from noob_perf.measure.subjects.stores import (
    ADD,
    ADD_MANY,
    GET_AGAIN,
    GET_MANY,
    SINGLE,
)
from noob_perf.measure.subjects.stores import (
    BATCH as EVENTS,
)
from noob_perf.results import Headline, Quantity, Verdict
from noob_perf.stats import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noob_perf.results import Timing

_MILLION, _MEGABYTE_ROWS, _NODES = 1_000_000, 3_640, 10_000
_ONE_BY_ONE = 20_000
_BUFFER_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class At:
    """Where a run's timing is to be found."""

    question: str
    implementation: str
    operation: str
    case: str
    size: int

    def find(self, found: Mapping[str, Findings]) -> Timing:
        """Return the timing, or one that says why there is none."""
        return found[self.question].find(self.implementation, self.operation, self.case, self.size)


@dataclass(frozen=True, slots=True)
class Claim:
    """An announced figure, and how it is put to the test.

    It is tested by ``at`` alone, by how often ``at`` goes into ``over``, or, if it claims a rate,
    by what ``at`` does a second.
    """

    component: str
    text: str
    note: str
    """What is measured for it."""
    quantity: Quantity
    claimed: float
    at: At
    over: At | None = None
    at_most: bool = False
    """Whether less than was claimed is better."""


def _scheduler(implementation: str, operation: str, nodes: int) -> At:
    return At("scheduler", implementation, operation, GRAPH, nodes)


def _serializer(implementation: str, operation: str, case: str = TABLE) -> At:
    return At("serializer", implementation, operation, case, _MEGABYTE_ROWS)


def _store(implementation: str, operation: str, case: str, events: int) -> At:
    return At("store", implementation, operation, case, events)


CLAIMS = (
    Claim(
        "FastEventStore", "add 1M events in 0.18 s", "add_many, in batches of 10,000",
        Quantity.SECONDS, 0.18, at_most=True, at=_store(NATIVE, ADD_MANY, EVENTS, _MILLION),
    ),
    Claim(
        "FastEventStore", "add 12.8x faster than pure Python",
        "add_value, an event a call, beside NOOB's EventStore", Quantity.TIMES, 12.8,
        at=_store(NATIVE, ADD, SINGLE, _ONE_BY_ONE), over=_store(NOOB, ADD, SINGLE, _ONE_BY_ONE),
    ),
    Claim(
        "FastEventStore", "get 1M events in 0.02 s from cache", "get_many, in batches of 10,000",
        Quantity.SECONDS, 0.02, at_most=True, at=_store(NATIVE, GET_MANY, EVENTS, _MILLION),
    ),
    Claim(
        "FastEventStore", "get 60x faster than pure Python",
        "get, an event a call and read before, beside NOOB's EventStore", Quantity.TIMES, 60.0,
        at=_store(NATIVE, GET_AGAIN, SINGLE, _ONE_BY_ONE),
        over=_store(NOOB, GET_AGAIN, SINGLE, _ONE_BY_ONE),
    ),
    Claim(
        "FastEventStore", "over 1M events/s", "add_value, an event a call",
        Quantity.PER_SECOND, 1e6, at=_store(NATIVE, ADD, SINGLE, _ONE_BY_ONE),
    ),
    Claim(
        "FastScheduler", "a graph of 10,000 nodes in 1.1 s", "constructed, and an epoch",
        Quantity.SECONDS, 1.1, at_most=True, at=_scheduler(NATIVE, WHOLE, _NODES),
    ),
    Claim(
        "FastScheduler", "86.4x faster than 95 s for the same",
        "constructed, and an epoch, beside noob_core, whose time is extrapolated from 1,000 nodes "
        "and less",
        Quantity.TIMES, 86.4,
        at=_scheduler(NATIVE, WHOLE, _NODES), over=_scheduler(NOOB_CORE, WHOLE, _NODES),
    ),
    Claim(
        "FastScheduler", "a decision under 100 ns", "inside Rust, at 10,000 nodes",
        Quantity.SECONDS, 100e-9, at_most=True, at=_scheduler(CORE, DECISIONS, _NODES),
    ),
    Claim(
        "FastSerializer", "a dict of 1 MB in 720 µs",
        "encode; a table that is 1 MB as JSON", Quantity.SECONDS, 720e-6, at_most=True,
        at=_serializer(NATIVE, ENCODE),
    ),
    Claim(
        "FastSerializer", "the same, there and back", "round trip of the same table",
        Quantity.SECONDS, 720e-6, at_most=True, at=_serializer(NATIVE, ROUND_TRIP),
    ),
    Claim(
        "FastSerializer", "29.2x faster than pickle", "encode of the same table, beside pickle 5",
        Quantity.TIMES, 29.2, at=_serializer(NATIVE, ENCODE), over=_serializer(PICKLE, ENCODE),
    ),
    Claim(
        "FastSerializer", "10 to 50x pickle", "round trip of the same table, beside pickle 5",
        Quantity.TIMES, 10.0,
        at=_serializer(NATIVE, ROUND_TRIP), over=_serializer(PICKLE, ROUND_TRIP),
    ),
    Claim(
        "FastSerializer", "over 500 MB/s", "bytes of its own frame that encode makes of that table",
        Quantity.BYTES_PER_SECOND, 500e6, at=_serializer(NATIVE, ENCODE),
    ),
    Claim(
        "FastSerializer", "batches in parallel",
        "dumps_many of 8 such tables, beside dumps of one after the other; any gain counts",
        Quantity.TIMES, 1.0,
        at=_serializer(NATIVE, TOGETHER, BATCH), over=_serializer(NATIVE, EACH, BATCH),
    ),
    Claim(
        "BufferPool", "under 1 % memory overhead", "buffers of 8 MiB, 64 MiB in use",
        Quantity.SHARE, 0.01, at_most=True,
        at=At("buffers", NATIVE, OVERHEAD, BUFFER, _BUFFER_BYTES),
    ),
)  # fmt: skip
"""Those that are numbers; the one that is not is judged by `judge_claims`."""

_NUMA_NODES = Path("/sys/devices/system/node")


def judge_claims(found: Mapping[str, Findings]) -> list[Headline]:
    """Put the claims about the components that were measured to the test.

    Args:
        found: the timings of each question that was asked.
    """
    given = [judge(claim, found) for claim in CLAIMS if claim.at.question in found]
    if "buffers" in found:
        given.append(_numa())
    return given


def judge(claim: Claim, found: Mapping[str, Findings]) -> Headline:
    """Measure a claim by a run."""
    timing = claim.at.find(found)
    estimate = _estimate(claim, timing, found)
    if estimate is None:
        missing = reason(timing) or (reason(claim.over.find(found)) if claim.over else "")
        note, verdict = f"{claim.note}; {missing}", Verdict.NOT_MEASURED
    else:
        note, verdict = claim.note, Verdict.NOT_REACHED
        value = estimate.value
        if value <= claim.claimed if claim.at_most else value >= claim.claimed:
            verdict = Verdict.REACHED
    return Headline(
        claim.component, claim.text, claim.quantity, claim.claimed, claim.at_most, estimate,
        verdict, note,
    )  # fmt: skip


def _estimate(claim: Claim, timing: Timing, found: Mapping[str, Findings]) -> Estimate | None:
    if claim.over is not None:
        over = claim.over.find(found)
        return ratio(over, timing) if over.measured else _extrapolated(claim.over, timing, found)
    if claim.quantity is Quantity.PER_SECOND:
        return _inverse(median(timing, timing.size))
    if claim.quantity is Quantity.BYTES_PER_SECOND:
        return _inverse(median(timing, timing.produced_bytes)) if timing.produced_bytes else None
    return median(timing, timing.size if timing.implementation == CORE else 1)


def _extrapolated(over: At, timing: Timing, found: Mapping[str, Findings]) -> Estimate | None:
    """By what factor something would exceed a timing, if its growth at smaller sizes went on."""
    smaller = found[over.question].sizes(over.implementation, over.operation, over.case)
    below = median(timing)
    if below is None or len(smaller) < LEAST_SIZES:
        return None
    ahead = growth(smaller).predict(over.size)
    return Estimate(
        ahead.value / below.value, ahead.low / below.high, ahead.high / below.low, ahead.confidence
    )


def _inverse(estimate: Estimate | None) -> Estimate | None:
    if estimate is None:
        return None
    return Estimate(1 / estimate.value, 1 / estimate.high, 1 / estimate.low, estimate.confidence)


def _numa() -> Headline:
    nodes = len(list(_NUMA_NODES.glob("node[0-9]*")))
    note = (
        "this machine has one NUMA node, so nothing can be nearer or farther"
        if nodes <= 1
        else f"this machine has {nodes} NUMA nodes, but where pages lie is not measured here"
    )
    return Headline(
        "BufferPool", "NUMA-aware", None, None, at_most=False, estimate=None,
        verdict=Verdict.NOT_COMPARABLE, note=note,
    )  # fmt: skip
