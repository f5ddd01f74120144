"""Observing a run: everything that a user of a runner can see of it, taken down for comparison."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from noob import Epoch, Tube
from noob.exceptions import InputMissingError, NoobWarning
from noob_core.exceptions import SchedulerExhaustedError

from noob_runners.testing.equality import snapshot
from noob_runners.testing.journal import Journal, journal
from noob_runners.testing.limits import HangError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from noob.event import Event, MetaEvent
    from noob.runner import TubeRunner

    from noob_runners.testing.spec import Case

Mode = Literal["process", "run", "iter"]
Key = tuple[str, str, Epoch]
"""Node, signal and epoch."""

_HARMLESS = (SchedulerExhaustedError, InputMissingError)
"""Exceptions after which NOOB's own runner can be asked again: nothing was half done. (Unless they
come from a nested tube, whose node then failed within an epoch.)"""


class Seen(NamedTuple):
    """An event or meta-event without what NOOB makes anew in every run."""

    node: str
    signal: str
    epoch: Epoch
    value: Any

    @property
    def key(self) -> Key:
        """Where the event belongs."""
        return (self.node, self.signal, self.epoch)


@dataclass(frozen=True)
class Raised:
    """An exception instead of a value."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        """What is compared of an exception: its class and message."""
        return cls(f"{type(error).__module__}.{type(error).__qualname__}", str(error))


@dataclass
class Period:
    """One ``process()``, or one whole ``run()`` or ``iter()``."""

    outcome: Any
    """The returned value (of ``run`` and ``iter``: the list of values), or :class:`Raised`."""
    yielded: list[Any]
    """What ``iter`` yielded."""
    events: list[Seen] | None
    """What a callback saw, in order; None without one."""
    store: list[Seen]
    """What the store holds afterwards."""
    assets: dict[str, tuple[Any, Epoch | None]]
    """Object and ``stored_at`` of each asset."""
    warnings: list[str]
    """NOOB's warnings."""
    epoch_log: set[int]
    exhausted: bool
    running: bool
    cut_short: bool
    """Whether an exception came from within an epoch, which is left as it was. (`run` takes some
    for the end, and tells nobody.)"""

    @property
    def broken(self) -> bool:
        """Whether an exception left the epoch unfinished."""
        if self.cut_short:
            return True
        if not isinstance(self.outcome, Raised):
            return False
        kinds = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _HARMLESS}
        kind = kinds.get(self.outcome.kind)
        return kind is None or (kind is SchedulerExhaustedError and not self.exhausted)


@dataclass
class Observation:
    """All that was seen of one case on one runner."""

    refused: str | None = None
    """The class of the exception that loading the tube ended in."""
    periods: list[Period] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """NOOB's warnings while loading."""
    closing: Raised | None = None
    """The exception that ``deinit()`` ended in."""
    journal: Journal = field(default_factory=dict)
    """What was initialised and deinitialised."""
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    """Source node, signal and target node of every dependency on a node."""

    @property
    def broken(self) -> bool:
        """Whether the run ended in an exception with an epoch unfinished."""
        return any(period.broken for period in self.periods)


def load(case: Case, tube_class: type[Tube] = Tube) -> Tube:
    """Load the case's tube afresh: NOOB changes the specifications it is given."""
    return tube_class.from_specification(deepcopy(case.spec), input=dict(case.tube_input))


def watch(runner: TubeRunner) -> list[Seen]:
    """Add a callback to a runner and return the list it fills."""
    seen: list[Seen] = []
    runner.add_callback(lambda event: seen.append(_seen(event)))
    return seen


def observe(
    make_runner: Callable[[Tube], TubeRunner],
    case: Case,
    *,
    tube_class: type[Tube] = Tube,
    mode: Mode = "process",
    callbacks: bool = True,
    normalise: Callable[[Any], Any] = snapshot,
) -> Observation:
    """Run a case from loading to deinit and take down what can be seen.

    Args:
        make_runner: makes the runner of a loaded tube
        case: what is run, and how
        tube_class: what loads the tube
        mode: by ``process()`` once an epoch, or one ``run(n)``, or one ``iter(n)``; inputs to
            ``process()`` and toggles are for the first only
        callbacks: whether a callback watches (an implementation may have a faster way without)
        normalise: makes the copy of an asset's object that is compared

    Raises:
        HangError: passed on from a limit that the caller has set
    """
    observation = Observation()
    with journal() as observation.journal:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", NoobWarning)
                tube = load(case, tube_class)
            observation.warnings = _noob_warnings(caught)
        except HangError:
            raise
        except Exception as error:  # noqa: BLE001 - a refusal is a result to compare
            observation.refused = Raised.of(error).kind
            return observation
        observation.edges = [
            (edge.source_node, edge.source_signal, edge.target_node)
            for edge in tube.edges
            if edge.source_node in tube.nodes
        ]
        runner = make_runner(tube)
        seen = watch(runner) if callbacks else None
        for at in range(case.epochs if mode == "process" else 1):
            if seen is not None:
                seen.clear()
            period = _period(runner, case, mode, at, normalise)
            period.events = None if seen is None else list(seen)
            observation.periods.append(period)
            if period.broken:
                break
        if runner.running:
            try:
                runner.deinit()
            except HangError:
                raise
            except Exception as error:  # noqa: BLE001 - an exception is a result to compare
                observation.closing = Raised.of(error)
    return observation


def _period(
    runner: TubeRunner, case: Case, mode: Mode, at: int, normalise: Callable[[Any], Any]
) -> Period:
    yielded: list[Any] = []
    outcome: Any
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NoobWarning)
        try:
            if mode == "run":
                outcome = runner.run(n=case.epochs)
            elif mode == "iter":
                outcome = None
                for value in runner.iter(n=case.epochs):
                    yielded.append(snapshot(value))  # noqa: PERF401 - an exception may end it
            else:
                for name, enabled in case.toggles.get(at, {}).items():
                    (runner.enable_node if enabled else runner.disable_node)(name)
                outcome = runner.process(**case.inputs[at % len(case.inputs)])
        except HangError:
            raise
        except Exception as error:  # noqa: BLE001 - an exception is a result to compare
            outcome = Raised.of(error)
    tube = runner.tube
    return Period(
        outcome=snapshot(outcome),
        yielded=yielded,
        events=None,
        store=[_seen(event) for event in runner.store.flat_events],
        assets={
            name: (normalise(asset.obj), asset.stored_at)
            for name, asset in tube.state.assets.items()
        },
        warnings=_noob_warnings(caught),
        epoch_log=set(tube.scheduler.epoch_log),
        exhausted=tube.scheduler.exhausted,
        running=runner.running,
        cut_short=(mode == "run" or isinstance(outcome, Raised)) and tube.scheduler.is_active(),
    )


def grouped(events: Iterable[Seen]) -> dict[Key, list[Any]]:
    """The events' values by node, signal and epoch: what does not depend on the order of nodes."""
    groups: dict[Key, list[Any]] = {}
    for event in events:
        groups.setdefault(event.key, []).append(event.value)
    return groups


def _noob_warnings(caught: list[warnings.WarningMessage]) -> list[str]:
    return sorted(
        f"{warning.category.__name__}: {warning.message}"
        for warning in caught
        if issubclass(warning.category, NoobWarning)
    )


def _seen(event: Event | MetaEvent) -> Seen:
    return Seen(event["node_id"], event["signal"], event["epoch"], snapshot(event["value"]))
