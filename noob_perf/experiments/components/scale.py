"""How large what the components are measured on is, and how often that is repeated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of all questions."""

    small_graphs: tuple[int, ...] = (250, 500)
    """Nodes of graphs for what cannot bear larger ones than the first of `graphs`."""
    graphs: tuple[int, ...] = (1_000, 10_000, 100_000)
    """Nodes."""
    single_events: tuple[int, ...] = (1_000, 5_000, 20_000)
    """Events that are added and read one by one."""
    batched_events: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Events that are added and read in batches; the last of them is weighed as well."""
    tables: tuple[int, ...] = (55, 550, 5_500)
    """Rows of tables."""
    megabyte_rows: int = 3_640
    """Rows of the table that takes a megabyte as JSON."""
    items: int = 100_000
    """Strings and floats of a list."""
    records: int = 20_000
    """Of a list."""
    array_bytes: int = 8 * 2**20
    buffers: tuple[int, ...] = (64 * 2**10, 2**20, 8 * 2**20)
    """Bytes."""
    held: tuple[int, ...] = (65_536, 65_544, 100_000, 2**20, 5 * 2**20, 8 * 2**20)
    """Bytes of buffers of which many are held at a time: powers of two, and others."""
    mixed_bytes: int = 128 * 2**20
    """Of buffers of all sizes that are held at a time."""
    judged: bool = True
    """Whether it is fit to be judged by."""
    budget_s: float = 0.4
    """What the repeats of an operation should take together, all included..."""
    least_repeats: int = 6
    """...but so many there are at least: six make an interval of 95 %."""
    most_repeats: int = 15


FULL = Scale()

QUICK = Scale(
    small_graphs=(125, 250),
    graphs=(500, 1_000, 2_000),
    single_events=(500, 1_000, 2_000),
    batched_events=(1_000, 2_000, 4_000),
    tables=(55, 110, 220),
    megabyte_rows=440,
    items=2_000,
    records=500,
    array_bytes=2**20,
    buffers=(64 * 2**10, 128 * 2**10, 256 * 2**10),
    held=(65_536, 100_000),
    mixed_bytes=32 * 2**20,
    judged=False,
    budget_s=0.1,
    least_repeats=2,
    most_repeats=2,
)
