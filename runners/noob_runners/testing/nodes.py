"""Function and generator nodes, small and deterministic, one for each way NOOB calls a function.

Annotations are real objects here (no postponed evaluation): NOOB reads signals, slots and
injections from them. Everything is importable by name, so that worker processes find it.
"""

import asyncio
from collections.abc import Generator, Iterable
from itertools import count as counting
from itertools import cycle
from typing import Annotated, Any

from noob import Epoch, Name
from noob.event import MetaSignal
from noob.types import EventMap

from noob_runners.testing.assets import Box

PRIME = 1_000_003


def digest(value: Any) -> int:
    """Any value of this suite as an integer below ``PRIME``; the order of elements counts."""
    if isinstance(value, bool | int):
        return int(value) % PRIME
    if isinstance(value, Box):
        return digest(value.value)
    if isinstance(value, dict):
        return digest([(str(key), item) for key, item in value.items()])
    if isinstance(value, list | tuple):
        total = 7 + len(value)
        for item in value:
            total = (total * 31 + digest(item)) % PRIME
        return total
    return digest(list(str(value).encode()))


# --- slots and parameters


def constant(value: Any = 1) -> Any:
    """No slot at all: a source that says the same in every epoch."""
    return value


def mix(*args: Any, **kwargs: Any) -> int:
    """Any slots: the digest of all positional and keyword inputs."""
    return digest([list(args), dict(sorted(kwargs.items()))])


def add(left: int, right: int = 10) -> int:
    """Two slots, one with a default that a parameter of the specification may replace."""
    return left + right


def subtract(left: int, right: int, /) -> int:
    """Positional-only slots."""
    return left - right


def scale(value: int, *, factor: int = 2, offset: int = 0) -> int:
    """Keyword-only parameters."""
    return value * factor + offset


def optional(
    first: Any | None = None, second: Any | None = None, third: Any | None = None
) -> list[Any]:
    """Optional slots: called with those that have an event."""
    return [first, second, third]


def half_optional(value: Any, extra: Any | None = None) -> list[Any]:
    """One required and one optional slot."""
    return [value, extra]


def keywords(value: Any = 0, **kwargs: Any) -> dict[str, Any]:
    """A named slot beside any others; says which it was given."""
    return {"value": value, **dict(sorted(kwargs.items()))}


# --- values


def nothing(value: Any) -> None:
    """Returns None, which is a value like any other."""


def not_a_number(value: Any) -> list[float]:  # noqa: ARG001 - the slot is what is tested
    """A value that does not equal itself."""
    return [float("nan")]


def payload(value: Any, size: int = 64) -> bytes:
    """A buffer that depends on its input."""
    return bytes((digest(value) + at) % 256 for at in range(size))


def listed(value: Any, most: int = 4) -> list[int]:
    """A list of 0 to ``most`` integers, a source for ``map``."""
    seed = digest(value)
    return [seed + at for at in range(seed % (most + 1))]


def tabled(value: Any) -> list[list[int]]:
    """Lists in a list, for a map of a map; one of the inner lists may be empty."""
    seed = digest(value)
    return [[seed + 10 * row + at for at in range((seed + row) % 3)] for row in range(3)]


def sieve(value: Any, modulus: int = 3) -> Any:
    """NoEvent whenever the input's digest is divisible by ``modulus``."""
    return MetaSignal.NoEvent if digest(value) % modulus == 0 else value


def refuse(value: Any, modulus: int = 5, remainder: int = 0) -> Any:
    """Raises on some values.

    Raises:
        ValueError: when the input's digest has ``remainder`` modulo ``modulus``
    """
    if digest(value) % modulus == remainder:
        raise ValueError(f"refused {value!r}")
    return value


# --- several signals


def split(value: Any) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:
    """Two signals."""
    return digest(value) % 10, digest(value) // 10


def route(value: Any) -> tuple[Annotated[Any, Name("even")], Annotated[Any, Name("odd")]]:
    """Two signals of which one is silent."""
    even = digest(value) % 2 == 0
    return (value, MetaSignal.NoEvent) if even else (MetaSignal.NoEvent, value)


def mute(value: Any) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:  # noqa: ARG001
    """Two signals and nothing for either: NOOB cannot take None apart."""
    return None  # type: ignore[return-value] # what is tested


def curt(value: Any) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:
    """Two signals and one value: a node that waits for the other waits for ever."""
    return (digest(value),)  # type: ignore[return-value] # what is tested


def named(value: Any) -> Annotated[list[Any], Name("wrapped")]:
    """One signal with a name of its own."""
    return [value]


# --- injections


def stamp(value: Any, epoch: Epoch) -> list[Any]:
    """The epoch is injected beside a slot."""
    return [value, epoch]


def stamp_alone(epoch: Epoch) -> int:
    """The epoch is injected and there is no slot."""
    return epoch.root


def trace(first: Any | None = None, *, events: EventMap, **kwargs: Any) -> list[Any]:
    """The events are injected: says slot, node, signal, epoch and value of each."""
    return [
        first,
        sorted(kwargs),
        [
            (str(slot), event["node_id"], event["signal"], str(event["epoch"]), event["value"])
            for slot, event in sorted(events.items(), key=str)
        ],
    ]


# --- coroutines


async def async_mix(*args: Any, **kwargs: Any) -> int:
    """:func:`mix` that gives way to the event loop before it answers."""
    await asyncio.sleep(0)
    return mix(*args, **kwargs)


async def async_refuse(value: Any, modulus: int = 5, remainder: int = 0) -> Any:
    """:func:`refuse` as a coroutine.

    Raises:
        ValueError: when the input's digest has ``remainder`` modulo ``modulus``
    """
    await asyncio.sleep(0)
    return refuse(value, modulus, remainder)


# --- assets


def bump(
    box: Box, value: Any = 1
) -> tuple[Annotated[Box, Name("box")], Annotated[int, Name("count")]]:
    """Changes the asset it is given and passes it on."""
    box.value += digest(value) % 100
    return box, box.value


def peek(box: Box, *args: Any) -> int:
    """Reads the asset it is given."""
    return digest([box, *args])


def append(ledger: list[Any], value: Any) -> list[Any]:
    """Changes an asset that is a list and emits a copy."""
    ledger.append(value)
    return list(ledger)


# --- sources


def count(start: int = 0, limit: int | None = None) -> Generator[int, None, None]:
    """Counts from ``start``; runs out after ``limit`` values."""
    yield from counting(start) if limit is None else range(start, start + limit)


def unannotated(start: int = 0):  # type: ignore[no-untyped-def] # noqa: ANN201 - what is tested
    """A generator of which NOOB knows nothing but that it is one."""
    yield from counting(start)


def lists(lengths: Iterable[int] = (3, 0, 2)) -> Generator[list[int], None, None]:
    """Lists of the given lengths in turn, for ever."""
    start = 0
    for length in cycle(lengths):
        yield list(range(start, start + length))
        start += length + 10


def tables() -> Generator[list[list[int]], None, None]:
    """Lists of lists, some of them empty."""
    for start in counting(0, 100):
        yield [[start, start + 1], [start + 10]]
        yield [[start + 50], [], [start + 60, start + 61]]
        yield []


def sometimes(every: int = 2, start: int = 0) -> Generator[int | MetaSignal, None, None]:
    """One value in ``every`` epochs, NoEvent in the others."""
    for at in counting(start):
        yield at if at % every == 0 else MetaSignal.NoEvent


def sparse_none() -> Generator[int | None, None, None]:
    """None in every other epoch: a value, not silence."""
    for at in counting():
        yield at if at % 2 else None


def pairs(
    limit: int | None = None,
) -> Generator[tuple[Annotated[int, Name("left")], Annotated[int, Name("right")]], None, None]:
    """Two signals in every epoch; may run out."""
    for at in counting() if limit is None else range(limit):
        yield at, -at


def turns() -> Generator[
    tuple[Annotated[int, Name("left")], Annotated[int, Name("right")]], None, None
]:
    """Two signals: left, right, neither, both, and again."""
    silent = MetaSignal.NoEvent
    for at in counting():
        yield at, silent  # type: ignore[misc] # NOOB lets a value be silent anywhere
        yield silent, at  # type: ignore[misc]
        yield silent, silent  # type: ignore[misc]
        yield at, at


def breaks(after: int = 2) -> Generator[int, None, None]:
    """A source that breaks.

    Raises:
        RuntimeError: when ``after`` values have been drawn
    """
    yield from range(after)
    raise RuntimeError(f"the source broke after {after}")
