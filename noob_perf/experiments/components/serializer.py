"""The question: what does FastSerializer take for what tubes carry, beside other serializers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Question
from noob_perf.experiments.components.entries import ours, peer
from noob_perf.experiments.components.figures import absolute, times
from noob_perf.measure.subject import Case
from noob_perf.measure.subjects.serializers import (
    ARRAY,
    BATCH,
    ENCODE,
    FLOATS,
    OUT_OF_BAND,
    RECORDS,
    ROUND_TRIP,
    STRINGS,
    TABLE,
)

if TYPE_CHECKING:
    from noob_perf.experiments.components.bench import Bench, Findings
    from noob_perf.results import Target

PICKLE = "pickle 5"
_SUBJECTS = "serializers"
_ENTRIES = (
    *ours(_SUBJECTS),
    peer(PICKLE, f"{_SUBJECTS}:Pickle"),
    peer("cloudpickle", f"{_SUBJECTS}:Cloudpickle", "cloudpickle"),
    peer("marshal", f"{_SUBJECTS}:Marshal"),
    peer("msgspec", f"{_SUBJECTS}:Msgspec", "msgspec"),
    peer("ormsgpack", f"{_SUBJECTS}:Ormsgpack", "ormsgpack"),
)


def _measure(bench: Bench) -> None:
    scale = bench.scale
    for rows in sorted({*scale.tables, scale.megabyte_rows}):
        bench.measure(Case(TABLE, rows), _ENTRIES)
    bench.measure(Case(RECORDS, scale.records), _ENTRIES)
    for kind in (STRINGS, FLOATS):
        bench.measure(Case(kind, scale.items), _ENTRIES)
    bench.measure(Case(ARRAY, scale.array_bytes), _ENTRIES)
    bench.measure(Case(BATCH, scale.megabyte_rows), ours(_SUBJECTS))


def _targets(found: Findings) -> list[Target]:
    scale = found.scale
    rows, nbytes = scale.tables[-1], scale.array_bytes

    def faster(peer_name: str, operation: str, kind: str, size: int, least: float | None) -> Target:
        return times(
            f"{kind} of {size:,}, {operation}: times faster than {peer_name}",
            found.find(peer_name, operation, kind, size),
            found.find(NATIVE, operation, kind, size),
            at_least=least,
        )

    return [
        faster(PICKLE, ENCODE, TABLE, rows, 4.0),
        faster(PICKLE, ROUND_TRIP, TABLE, rows, 1.0),
        faster("marshal", ROUND_TRIP, TABLE, rows, 1.0),
        faster("ormsgpack", ROUND_TRIP, TABLE, rows, 1.0),
        faster("msgspec", ROUND_TRIP, TABLE, rows, None),
        *(
            faster("ormsgpack", operation, kind, size, 1.0)
            for kind, size in ((STRINGS, scale.items), (RECORDS, scale.records))
            for operation in (ENCODE, ROUND_TRIP)
        ),
        absolute(
            f"array of {nbytes / 2**20:g} MiB, {OUT_OF_BAND}",
            found.find(NATIVE, OUT_OF_BAND, ARRAY, nbytes),
            at_most=50e-6,
            beside=found.find(PICKLE, ROUND_TRIP, ARRAY, nbytes),
        ),
    ]


SERIALIZER = Question(
    "serializer",
    "What does FastSerializer take for tables, lists and arrays?",
    "item",
    _measure,
    _targets,
)
