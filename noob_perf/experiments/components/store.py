"""The question: what does FastEventStore take for an event, beside NOOB's own store?

A plain dictionary of values stands beside both as the limit: it makes no events and takes no locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Question
from noob_perf.experiments.components.entries import ours, peer
from noob_perf.experiments.components.figures import absolute, times
from noob_perf.measure.subject import Case
from noob_perf.measure.subjects.stores import (
    ADD,
    ADD_MANY,
    BATCH,
    GET_AGAIN,
    GET_FIRST,
    GET_MANY,
    HELD,
    MEMORY,
    SINGLE,
)
from noob_perf.results import Quantity

if TYPE_CHECKING:
    from noob_perf.experiments.components.bench import Bench, Findings
    from noob_perf.results import Target

NOOB = "noob EventStore"
_DICT = "dict"
_ENTRIES = (
    *ours("stores"),
    peer(
        NOOB,
        "stores:Noob",
        max_size=20_000,
        limit="it has no batches",
    ),
    peer(_DICT, "stores:Dict"),
)


def _measure(bench: Bench) -> None:
    for events in bench.scale.single_events:
        bench.measure(Case(SINGLE, events), _ENTRIES)
    for events in bench.scale.batched_events:
        bench.measure(Case(BATCH, events), _ENTRIES)
    bench.measure_cold(Case(HELD, bench.scale.batched_events[-1]), _ENTRIES)


def _targets(found: Findings) -> list[Target]:
    events = found.scale.single_events[-1]
    targets = [
        times(
            f"{operation}: times faster, {events:,} events",
            found.find(NOOB, operation, SINGLE, events),
            found.find(NATIVE, operation, SINGLE, events),
            per=events,
            at_least=least,
        )
        for operation, least in ((ADD, 10.0), (GET_FIRST, 1.0), (GET_AGAIN, 2.0))
    ]
    events = found.scale.batched_events[-1]
    targets += [
        absolute(
            f"{operation}, {events:,} events",
            found.find(NATIVE, operation, BATCH, events),
            at_most=most,
            beside=found.find(_DICT, operation, BATCH, events),
        )
        for operation, most in ((ADD_MANY, 0.15), (GET_MANY, 0.05))
    ]
    held = found.find(NATIVE, MEMORY, HELD, events)
    beside = found.find(_DICT, MEMORY, HELD, events)
    name = f"{MEMORY}, {events:,} events"
    return [*targets, absolute(name, held, at_most=250e6, beside=beside)]


STORE = Question(
    "store",
    "What does FastEventStore take for an event?",
    "event",
    _measure,
    _targets,
    {MEMORY: Quantity.BYTES},
)
