"""The question: what does FastSerializer take for what tubes carry, beside other serializers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Question
from noob_perf.experiments.components.entries import ours, peer
from noob_perf.experiments.components.figures import absolute, fastest, times
from noob_perf.measure.subject import Case
from noob_perf.measure.subjects.serializers import (
    ARRAY,
    BATCH,
    DISTINCT,
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
    from noob_perf.experiments.components.scale import Scale
    from noob_perf.results import Target

PICKLE, MSGSPEC, ORMSGPACK = "pickle 5", "msgspec", "ormsgpack"
_SUBJECTS = "serializers"
_ENTRIES = (
    *ours(_SUBJECTS),
    peer(PICKLE, f"{_SUBJECTS}:Pickle"),
    peer("cloudpickle", f"{_SUBJECTS}:Cloudpickle", "cloudpickle"),
    peer("marshal", f"{_SUBJECTS}:Marshal"),
    peer(MSGSPEC, f"{_SUBJECTS}:Msgspec", "msgspec"),
    peer(ORMSGPACK, f"{_SUBJECTS}:Ormsgpack", "ormsgpack"),
)


def _measure(bench: Bench) -> None:
    scale = bench.scale
    for rows in sorted({*scale.tables, scale.megabyte_rows}):
        bench.measure(Case(TABLE, rows), _ENTRIES)
    bench.measure(Case(DISTINCT, _middle(scale)), _ENTRIES)
    bench.measure(Case(RECORDS, scale.records), _ENTRIES)
    for kind in (STRINGS, FLOATS):
        bench.measure(Case(kind, scale.items), _ENTRIES)
    bench.measure(Case(ARRAY, scale.array_bytes), _ENTRIES)
    bench.measure(Case(BATCH, scale.megabyte_rows), ours(_SUBJECTS))


def _middle(scale: Scale) -> int:
    return scale.tables[len(scale.tables) // 2]


def _targets(found: Findings) -> list[Target]:
    scale = found.scale
    rows, nbytes = scale.megabyte_rows, scale.array_bytes

    def faster(
        kind: str, size: int, operation: str, least: float | None, *peers: str, way: str = ""
    ) -> Target:
        """Beside the fastest of some peers."""
        reference = fastest(*(found.find(name, operation, kind, size) for name in peers))
        return times(
            f"{kind} of {size:,}, {operation}: times faster than {way}{reference.implementation}",
            reference,
            found.find(NATIVE, operation, kind, size),
            at_least=least,
        )

    return [
        *(
            faster(kind, size, operation, least, name)
            for kind, size in ((TABLE, scale.tables[-1]), (DISTINCT, _middle(scale)))
            for operation, name, least in (
                (ENCODE, PICKLE, 4.0),
                (ROUND_TRIP, PICKLE, 1.0),
                (ROUND_TRIP, "marshal", 1.0),
                (ROUND_TRIP, ORMSGPACK, 1.0),
                (ROUND_TRIP, MSGSPEC, None),
            )
        ),
        absolute(
            f"{TABLE} of {rows:,}, which is 1 MB as JSON in a full run, {ROUND_TRIP}",
            found.find(NATIVE, ROUND_TRIP, TABLE, rows),
            beside=found.find(PICKLE, ROUND_TRIP, TABLE, rows),
        ),
        *(
            faster(kind, size, operation, 1.0, MSGSPEC, ORMSGPACK, way="the faster msgpack, ")
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
