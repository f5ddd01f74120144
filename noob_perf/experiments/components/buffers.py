"""The question: how soon does another process see a buffer of BufferPool, and what does that hold?

Beside it stand blocks of `multiprocessing.shared_memory`, created and unlinked for each buffer or
one that is kept, and copies of an array that is there already, pickled through a pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import NATIVE, Question
from noob_perf.experiments.components.entries import ours, peer
from noob_perf.experiments.components.figures import absolute, times
from noob_perf.measure.subject import Case
from noob_perf.measure.subjects.buffers import CYCLE, HELD, MIX, OVERHEAD, VIEW
from noob_perf.results import Quantity

if TYPE_CHECKING:
    from noob_perf.experiments.components.bench import Bench, Findings
    from noob_perf.results import Target

BUFFER = "buffer, bytes"
COPIED, SHARED, REUSED = "copied through a pipe", "shared_memory", "shared_memory, reused"
_HOLDING = (*ours("buffers"), peer(SHARED, "buffers:Shared"))
_ENTRIES = (*_HOLDING, peer(REUSED, "buffers:Reused"), peer(COPIED, "buffers:Copied"))


def _measure(bench: Bench) -> None:
    for nbytes in bench.scale.buffers:
        bench.measure(Case(BUFFER, nbytes), _ENTRIES)
    for nbytes in bench.scale.held:
        bench.measure(Case(HELD, nbytes), _HOLDING)
    bench.measure(Case(MIX, bench.scale.mixed_bytes), _HOLDING)


def _targets(found: Findings) -> list[Target]:
    largest = found.scale.buffers[-1]

    def faster(peer_name: str, operation: str, least: float | None) -> Target:
        return times(
            f"{operation}, {largest / 2**20:g} MiB: times faster than {peer_name}",
            found.find(peer_name, operation, BUFFER, largest),
            found.find(NATIVE, operation, BUFFER, largest),
            at_least=least,
        )

    return [
        faster(COPIED, VIEW, 100.0),
        faster(SHARED, VIEW, None),
        faster(REUSED, VIEW, None),
        faster(COPIED, CYCLE, None),
        *(
            absolute(
                f"{OVERHEAD}, {text}",
                found.find(NATIVE, OVERHEAD, kind, nbytes),
                at_most=0.01,
                beside=found.find(SHARED, OVERHEAD, kind, nbytes),
            )
            for text, kind, nbytes in (
                *((f"buffers of {size:,} bytes", HELD, size) for size in found.scale.held),
                ("a random mix of 64 KiB to 16 MiB", MIX, found.scale.mixed_bytes),
            )
        ),
    ]


BUFFERS = Question(
    "buffers",
    "How soon does another process see a buffer, and what does a pool hold?",
    "byte",
    _measure,
    _targets,
    {OVERHEAD: Quantity.SHARE},
)
