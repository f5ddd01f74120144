"""A subject: one implementation of a component on one case, in a process of its own.

It offers operations. Each is timed, and its result checked before the time counts.
"""

from __future__ import annotations

import gc
import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from noob_perf.errors import UnsupportedError, one_line
from noob_perf.measure.protocol import (
    Measure,
    Measured,
    Prepare,
    Prepared,
    Stop,
    Stopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob_perf.measure.protocol import Reply, Request

_LEAST_S = 0.003
"""A short operation is done again until it has taken so long: a clock is not finer."""
_MOST_S = 0.025
"""...but not for longer than this, making its input and checking its result included."""


class WrongResultError(Exception):
    """An operation's result is not what it must be."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the implementations of a component are measured on."""

    kind: str
    """Such as a graph, or a table."""
    size: int
    """Nodes, events, items or bytes."""

    def __str__(self) -> str:
        """Write it for a row."""
        return f"{self.kind} of {self.size:,}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an operation returns that measures by itself, be it time or something else."""

    value: float
    result: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be timed."""

    run: Callable[[Any], Any]
    """Is given what `setup` has made; the time of this alone counts."""
    check: Callable[[Any], None]
    """Is given what `run` returned; raises `WrongResultError` if that is not right."""
    setup: Callable[[], Any] = lambda: None
    once: bool = False
    """Whether it is done no more than once a repeat."""
    produced: Callable[[Any], int] | None = None
    """The size in bytes of what `run` returned, for operations that make bytes."""


class Subject(ABC):
    """One implementation on one case.

    Args:
        case: what it is measured on.
        workers: not used; there is one process.
    """

    def __init__(self, case: Case, workers: int | None = None) -> None:  # noqa: ARG002 - as a harness
        """Find the implementation.

        Raises:
            UnsupportedError: it is not there, or does not take such a case.
        """
        self.case = case
        self._operations: dict[str, Operation] = {}

    @abstractmethod
    def prepare(self) -> Mapping[str, Operation | str]:
        """Make what the operations work on; return them by name, or why they cannot be done."""

    def stop(self) -> None:  # noqa: B027 - a subject may have nothing to stop
        """Leave nothing behind."""

    def answer(self, request: Request) -> Reply:
        """Do what the suite asks for.

        Raises:
            ValueError: it is nothing that is asked of a component.
        """
        match request:
            case Prepare():
                offered = self.prepare()
                self._operations = {
                    name: one for name, one in offered.items() if isinstance(one, Operation)
                }
                return Prepared(
                    {name: one if isinstance(one, str) else "" for name, one in offered.items()}
                )
            case Measure(name):
                try:
                    return _measure(self._operations[name])
                except WrongResultError as error:
                    return Measured(0.0, fault=f"wrong result: {error}")
                except Exception as error:  # noqa: BLE001 - it is the outcome of this operation
                    return Measured(0.0, fault=one_line(error))
            case Stop():
                self.stop()
                return Stopped()
            case _:
                raise ValueError(f"a component is not asked for {request!r}")


def _measure(operation: Operation) -> Measured:
    values: list[float] = []
    produced = None
    began = perf_counter()
    gc.collect()
    while not values or (
        not operation.once and sum(values) < _LEAST_S and perf_counter() - began < _MOST_S
    ):
        given = operation.setup()
        start = perf_counter()
        result = operation.run(given)
        value = perf_counter() - start
        if isinstance(result, Reading):
            value, result = result.value, result.result
        operation.check(result)
        if operation.produced is not None:
            produced = operation.produced(result)
        values.append(value)
        del given, result
    return Measured(sum(values) / len(values), produced)


def expect(got: object, wanted: object, what: str) -> None:
    """Check that two values are equal.

    Raises:
        WrongResultError: they are not; the message shows no more of them than fits a line.
    """
    if got != wanted:
        raise WrongResultError(f"{what} is {_shown(got)}, not {_shown(wanted)}")


def native(name: str) -> Any:
    """Find a native component by its class's name.

    Raises:
        UnsupportedError: there is none, or it was built for debugging.
    """
    try:
        package = importlib.import_module("noob_fast")
    except ImportError as error:
        raise UnsupportedError(
            f"noob_fast cannot be imported ({error}): pip install 'noob-runners[fast]'"
        ) from error
    if package.BUILD == "debug":
        raise UnsupportedError("noob_fast is a debug build, whose times say nothing: build it anew")
    return _attribute("noob_fast", name)


def twin(module: str, name: str) -> Any:
    """Find a component's twin in Python by its module and its class's name.

    Raises:
        UnsupportedError: there is none.
    """
    return _attribute(f"noob_runners.components.{module}", name)


def lacking(implementation: Any, *names: str) -> str:
    """Say which methods an implementation does not have; empty if it has all of them."""
    absent = [name for name in names if not hasattr(implementation, name)]
    return f"{implementation.__name__} has no {', no '.join(absent)}" if absent else ""


def _attribute(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnsupportedError(f"{module} has no {name}") from error


def _shown(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
