"""The figures that were announced for the components, as data, and what a run says to each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Findings
from noob_perf.experiments.components.core import CORE, DECISIONS
from noob_perf.experiments.components.figures import (
    growth,
    median,
    ratio,
    reason,
)
from noob_perf.experiments.components.scheduler import GRAPH, NOOB_CORE, NOOB_CORE_NODES
from noob_perf.experiments.components.serializer import PICKLE
from noob_perf.experiments.components.store import NOOB
from noob_perf.measure.subjects.buffers import HELD, MIX, OVERHEAD
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
from noob_perf.results import LEAST_SIZES, Headline, Quantity, Verdict
from noob_perf.stats import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noob_perf.experiments.components.scale import Scale
    from noob_perf.results import Timing


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
    also: tuple[At, ...] = ()
    """Where else it is to hold: the worst counts."""
    at_most: bool = False
    """Whether less than was claimed is better."""


def claims(scale: Scale) -> tuple[Claim, ...]:
    """The claims that are numbers, at a scale; `judge_claims` adds the one that is not.

    Args:
        scale: the full one has the sizes that were announced.
    """
    single, million = scale.single_events[-1], scale.batched_events[-1]

    def scheduler(implementation: str, operation: str) -> At:
        return At("scheduler", implementation, operation, GRAPH, scale.graphs[-2])

    def serializer(implementation: str, operation: str, case: str = TABLE) -> At:
        return At("serializer", implementation, operation, case, scale.megabyte_rows)

    def store(implementation: str, operation: str, case: str, events: int) -> At:
        return At("store", implementation, operation, case, events)

    def held(case: str, nbytes: int) -> At:
        return At("buffers", NATIVE, OVERHEAD, case, nbytes)

    return (
        Claim(
            "FastEventStore", "add 1M events in 0.18 s", "add_many, in batches of 10,000",
            Quantity.SECONDS, 0.18, at_most=True, at=store(NATIVE, ADD_MANY, EVENTS, million),
        ),
        Claim(
            "FastEventStore", "add 12.8x faster than pure Python",
            "add_value, an event a call, beside NOOB's EventStore", Quantity.TIMES, 12.8,
            at=store(NATIVE, ADD, SINGLE, single), over=store(NOOB, ADD, SINGLE, single),
        ),
        Claim(
            "FastEventStore", "get 1M events in 0.02 s from cache",
            "get_many, in batches of 10,000",
            Quantity.SECONDS, 0.02, at_most=True, at=store(NATIVE, GET_MANY, EVENTS, million),
        ),
        Claim(
            "FastEventStore", "get 60x faster than pure Python",
            "get, an event a call and read before, beside NOOB's EventStore", Quantity.TIMES, 60.0,
            at=store(NATIVE, GET_AGAIN, SINGLE, single),
            over=store(NOOB, GET_AGAIN, SINGLE, single),
        ),
        Claim(
            "FastEventStore", "over 1M events/s", "add_value, an event a call",
            Quantity.PER_SECOND, 1e6, at=store(NATIVE, ADD, SINGLE, single),
        ),
        Claim(
            "FastScheduler", "a graph of 10,000 nodes in 1.1 s", "constructed, and an epoch",
            Quantity.SECONDS, 1.1, at_most=True, at=scheduler(NATIVE, WHOLE),
        ),
        Claim(
            "FastScheduler", "86.4x faster than 95 s for the same",
            "constructed, and an epoch, beside noob_core, which is quadratic: measured up to "
            f"{NOOB_CORE_NODES:,}, beyond that extrapolated",
            Quantity.TIMES, 86.4, at=scheduler(NATIVE, WHOLE), over=scheduler(NOOB_CORE, WHOLE),
        ),
        Claim(
            "FastScheduler", "a decision under 100 ns", "inside Rust, at 10,000 nodes",
            Quantity.SECONDS, 100e-9, at_most=True, at=scheduler(CORE, DECISIONS),
        ),
        Claim(
            "FastSerializer", "a dict of 1 MB in 720 µs",
            "read as encode, of a table that is 1 MB as JSON; its round trip stands under what was "
            "asked",
            Quantity.SECONDS, 720e-6, at_most=True, at=serializer(NATIVE, ENCODE),
        ),
        Claim(
            "FastSerializer", "29.2x faster than pickle",
            "encode of the same table, beside pickle 5",
            Quantity.TIMES, 29.2, at=serializer(NATIVE, ENCODE), over=serializer(PICKLE, ENCODE),
        ),
        Claim(
            "FastSerializer", "10 to 50x pickle", "round trip of the same table, beside pickle 5",
            Quantity.TIMES, 10.0,
            at=serializer(NATIVE, ROUND_TRIP), over=serializer(PICKLE, ROUND_TRIP),
        ),
        Claim(
            "FastSerializer", "over 500 MB/s",
            "bytes of its own frame that encode makes of that table",
            Quantity.BYTES_PER_SECOND, 500e6, at=serializer(NATIVE, ENCODE),
        ),
        Claim(
            "FastSerializer", "batches in parallel",
            "dumps_many of 8 different tables of that size, beside dumps of one after the other; "
            "building frames needs the interpreter's lock",
            Quantity.TIMES, 1.2,
            at=serializer(NATIVE, TOGETHER, BATCH), over=serializer(NATIVE, EACH, BATCH),
        ),
        Claim(
            "BufferPool", "under 1 % memory overhead",
            "the worst of buffers of one size, from 64 KiB to 8 MiB, and of a random mix of 64 KiB "
            "to 16 MiB",
            Quantity.SHARE, 0.01, at_most=True, at=held(MIX, scale.mixed_bytes),
            also=tuple(held(HELD, nbytes) for nbytes in scale.held),
        ),
    )  # fmt: skip


_VERDICTS = {True: Verdict.REACHED, False: Verdict.NOT_REACHED, None: Verdict.UNDECIDED}
_NUMA_NODES = Path("/sys/devices/system/node")


def judge_claims(scale: Scale, found: Mapping[str, Findings]) -> list[Headline]:
    """Put the claims about the components that were measured to the test.

    Args:
        scale: what they were measured at.
        found: the timings of each question that was asked.
    """
    given = [judge(claim, found) for claim in claims(scale) if claim.at.question in found]
    if "buffers" in found:
        given.append(_numa())
    return given


def judge(claim: Claim, found: Mapping[str, Findings]) -> Headline:
    """Measure a claim by a run: it is reached if the worse end of the interval reaches it."""
    timings = [at.find(found) for at in (claim.at, *claim.also)]
    over = [claim.over.find(found)] if claim.over else []
    estimates = [_estimate(claim, timing, found) for timing in timings]
    measured = [estimate for estimate in estimates if estimate is not None]
    if len(measured) < len(estimates):
        estimate, verdict = None, Verdict.NOT_MEASURED
        note = f"{claim.note}; {reason(*timings) or reason(*over)}"
    elif claim.at_most:
        note, estimate = claim.note, max(measured, key=lambda one: one.high)
        verdict = _VERDICTS[estimate.within(at_most=claim.claimed)]
    else:
        note, estimate = claim.note, min(measured, key=lambda one: one.low)
        verdict = _VERDICTS[estimate.within(at_least=claim.claimed)]
    if verdict is Verdict.REACHED and not all(timing.measured for timing in over):
        verdict = Verdict.PROJECTED
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
