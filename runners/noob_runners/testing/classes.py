"""Class nodes, small and deterministic: Node subclasses and wrapped classes.

Annotations are real objects here (no postponed evaluation): NOOB reads signals, slots and
injections from them. Initialising and deinitialising is written to the journal.
"""

import asyncio
from collections.abc import Generator
from itertools import count as counting
from typing import Annotated, Any

from noob import (
    Epoch,
    Event,
    MetaSignal,
    Name,
    Node,
    NodeSpecification,
    deinit_method,
    init_method,
    process_method,
)
from noob.edge import Signal
from noob.types import RunnerContext
from pydantic import Field, PrivateAttr

from noob_runners.testing.journal import record
from noob_runners.testing.nodes import digest


class Journaled(Node):
    """A Node whose init and deinit are written to the journal under its id."""

    def init(self) -> None:
        """Say so."""
        record(self.id, "init")

    def deinit(self) -> None:
        """Say so."""
        record(self.id, "deinit")


class Scale(Journaled):
    """A Node subclass with a field and a named signal."""

    factor: int = 3

    def process(self, value: Any, shift: int = 0) -> Annotated[int, Name("scaled")]:
        """Scale and shift."""
        return digest(value) * self.factor + shift


class Tally(Journaled):
    """A stateful Node: the sum of all it has seen, and how many those were."""

    _total: int = PrivateAttr(default=0)
    _seen: int = PrivateAttr(default=0)

    def process(
        self, value: Any
    ) -> tuple[Annotated[int, Name("total")], Annotated[int, Name("seen")]]:
        """Add one value."""
        self._total += digest(value)
        self._seen += 1
        return self._total, self._seen


class Ticker(Journaled):
    """A Node whose process method is a generator; runs out at ``limit``."""

    limit: int | None = None

    def process(self) -> Generator[Annotated[int, Name("tick")], None, None]:
        """Count."""
        yield from counting() if self.limit is None else range(self.limit)


class Envelope(Journaled):
    """A Node that emits an explicit event instead of a value, or silence as an event."""

    silent_every: int = 3

    def process(self, value: Any, epoch: Epoch) -> Event[Any]:
        """Wrap the value, or NoEvent for some, in an event."""
        silent = digest(value) % self.silent_every == 0
        return self._event_maker.new_event(
            epoch=epoch, value=MetaSignal.NoEvent if silent else ("enveloped", value)
        )


class Envelopes(Journaled):
    """A Node of two signals that emits one explicit event for each, in a list."""

    def process(
        self, value: Any, epoch: Epoch
    ) -> tuple[Annotated[Any, Name("first")], Annotated[Any, Name("second")]]:
        """Wrap the value twice."""
        new = self._event_maker.new_event
        first: Any = new(epoch=epoch, value=value, signal="first")
        second: Any = new(epoch=epoch, value=digest(value), signal="second")
        return [first, second]  # type: ignore[return-value] # a list, as nested tubes emit


class Echo(Journaled):
    """A Node that emits two explicit events for one signal and epoch: the last one counts."""

    def process(self, value: Any, epoch: Epoch) -> list[Event[Any]]:
        """Say it twice."""
        new = self._event_maker.new_event
        return [new(epoch=epoch, value=("once", value)), new(epoch=epoch, value=("twice", value))]


class Fan(Journaled):
    """A Node whose signals come from its specification."""

    names: list[str] = Field(default_factory=list)

    def process(self, value: Any) -> Any:
        """One value a signal."""
        values = tuple(digest([name, value]) for name in self.names)
        return values if len(values) > 1 else values[0]

    @classmethod
    def get_signals(cls, spec: NodeSpecification | None = None) -> dict[str, Signal]:
        """The names that the specification's parameters list."""
        names = (spec.params or {}).get("names", []) if spec else []
        return {name: Signal(name=name, annotation=Any) for name in names}


class Context(Node):
    """A Node that asks for the runner's context when it is initialised."""

    _inputs: dict[str, Any] = PrivateAttr(default_factory=dict)

    def init(self, context: RunnerContext) -> None:  # type: ignore[override] # NOOB injects it
        """Keep the tube's inputs."""
        self._inputs = dict(context["input_collection"].chain)
        record(self.id, f"init with {sorted(self._inputs)}")

    def process(self) -> dict[str, Any]:
        """The inputs that the context had."""
        return self._inputs


class AsyncTally(Node):
    """A stateful Node that is a coroutine throughout."""

    _total: int = PrivateAttr(default=0)

    async def init(self) -> None:  # type: ignore[override] # NOOB awaits it
        """Start at a hundred, so that a missed init shows."""
        await asyncio.sleep(0)
        self._total += 100
        record(self.id, "init")

    async def deinit(self) -> None:  # type: ignore[override] # NOOB awaits it
        """Say so."""
        await asyncio.sleep(0)
        record(self.id, "deinit")

    async def process(self, value: Any) -> Annotated[int, Name("total")]:
        """Add one value."""
        await asyncio.sleep(0)
        self._total += digest(value)
        return self._total


class Plain:
    """A wrapped class that has a process method and nothing else."""

    def __init__(self, factor: int = 5) -> None:
        """Keep the factor."""
        self.factor = factor
        self.calls = 0

    def process(self, value: Any, extra: Any | None = None) -> list[Any]:
        """How often it was called, and with what."""
        self.calls += 1
        return [self.calls * self.factor, value, extra]


class Decorated:
    """A wrapped class whose methods are marked by NOOB's decorators."""

    def __init__(self, label: str = "decorated") -> None:
        """Keep the label it has in the journal."""
        self.label = label
        self.values: list[int] = []

    @init_method
    def start(self) -> None:
        """Put something in, so that a missed init shows."""
        self.values.append(-1)
        record(self.label, "init")

    @process_method
    def collect(self, value: Any) -> Annotated[list[int], Name("values")]:
        """All that was ever seen."""
        self.values.append(digest(value))
        return list(self.values)

    @deinit_method
    def stop(self) -> None:
        """Say so."""
        record(self.label, "deinit")


class PlainCounter:
    """A wrapped class whose process method is a generator; runs out at ``limit``."""

    def __init__(self, limit: int | None = None) -> None:
        """Keep the limit."""
        self.limit = limit

    @process_method
    def tick(self) -> Generator[Annotated[int, Name("tick")], None, None]:
        """Count."""
        yield from counting() if self.limit is None else range(self.limit)


class AsyncPlain:
    """A wrapped class whose process method is a coroutine."""

    def __init__(self) -> None:
        """Begin."""
        self.total = 0

    async def process(self, value: Any) -> int:
        """Add one value."""
        await asyncio.sleep(0)
        self.total += digest(value)
        return self.total
