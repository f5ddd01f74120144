"""Comparing two observations: what a runner did otherwise than the runner it must equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noob_runners.testing.equality import equal
from noob_runners.testing.observation import Key, Observation, Period, Seen, grouped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def differences(
    expected: Observation, observed: Observation, *, lifecycle: bool = True
) -> list[str]:
    """All differences, each in a sentence; none when the contract holds.

    The order of events may differ where no dependency decides it. Of a run that ended in an
    exception within an epoch, that epoch counts by its exception only.

    Args:
        expected: of the reference
        observed: of the runner under test
        lifecycle: whether init and deinit of nodes and assets are compared too
    """
    if (expected.refused or observed.refused) is not None:
        same = expected.refused == observed.refused
        return [] if same else [_differ("loading", expected.refused, observed.refused)]
    found = []
    if expected.warnings != observed.warnings:
        found.append(_differ("warnings at loading", expected.warnings, observed.warnings))
    if len(expected.periods) != len(observed.periods):
        found.append(_differ("number of epochs", len(expected.periods), len(observed.periods)))
    for at, (one, other) in enumerate(zip(expected.periods, observed.periods, strict=False)):
        found += [f"epoch {at}: {text}" for text in _in_period(one, other, observed.edges)]
    if expected.closing != observed.closing:
        found.append(_differ("deinit", expected.closing, observed.closing))
    if lifecycle and not expected.broken:
        found += _in_mappings("lifecycle of", expected.journal, observed.journal)
    return found


def _in_period(one: Period, other: Period, edges: list[tuple[str, str, str]]) -> Iterator[str]:
    for name in ("outcome", "yielded", "warnings", "running"):
        if not equal(getattr(one, name), getattr(other, name)):
            yield _differ(name, getattr(one, name), getattr(other, name))
    if one.broken:
        return
    for name in ("assets", "epoch_log", "exhausted"):
        if not equal(getattr(one, name), getattr(other, name)):
            yield _differ(name, getattr(one, name), getattr(other, name))
    yield from _in_mappings("stored", grouped(one.store), grouped(other.store))
    if one.events is not None and other.events is not None:
        yield from _in_mappings("seen by the callback", grouped(one.events), grouped(other.events))
        yield from _out_of_order(one.events, other.events, edges)


def _in_mappings(what: str, one: dict[Any, Any], other: dict[Any, Any]) -> Iterator[str]:
    for key in {**one, **other}:
        if not equal(one.get(key), other.get(key)):
            yield _differ(f"{what} {key}", one.get(key), other.get(key))


def _out_of_order(
    expected: Iterable[Seen], observed: Iterable[Seen], edges: list[tuple[str, str, str]]
) -> Iterator[str]:
    """Where an event comes before one that its node was waiting for.

    An edge does not bind in every epoch (an optional slot is not waited for, a gather emits into
    an epoch that it left), so an order is asked for only where the reference keeps it.
    """
    right, ours = _positions(expected), _positions(observed)
    sources: dict[str, list[tuple[str, str]]] = {}
    for source, signal, target in edges:
        sources.setdefault(target, []).append((source, signal))
    for key in right.keys() & ours.keys():
        node, _, epoch = key
        for source, signal in sources.get(node, ()):
            for at in (epoch, *epoch.parents):
                before = (source, signal, at)
                kept = before in right and right[before] < right[key]
                if kept and before in ours and ours[before] > ours[key]:
                    yield f"the callback saw {key} before {before}, on which it depends"


def _positions(events: Iterable[Seen]) -> dict[Key, int]:
    first: dict[Key, int] = {}
    for at, event in enumerate(events):
        first.setdefault(event.key, at)
    return first


def _differ(what: str, expected: Any, observed: Any) -> str:
    return f"{what}: {observed!r} instead of {expected!r}"
