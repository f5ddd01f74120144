"""Where each node's calls run: in the coordinator's process, or in one of the executor's places.

A stateless node that touches no asset may leave. Asked for "remote" it does, asked for "local" it
does not. "adaptive", it begins here; it leaves once its calls are seen to take longer than sending
them would, and comes back if they do not. Nodes of one function are judged together until each has
been seen. A stateful node may only leave for good, to one place, where its state then is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from noob.node.base import WrapClassNode, WrapFuncNode

from noob_runners.errors import PlacementError
from noob_runners.recipe import Recipe, Remade

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from noob_runners.components import EpochDriver
    from noob_runners.plan import Plan, Step

__all__ = ["Mode", "Placement", "Stateful"]

Mode = Literal["adaptive", "remote", "local"]
Stateful = Literal["coordinator", "worker"]

LEAST_NS = 50_000
"""A call that takes less stays here: about what a batch of one costs on its way there and back."""
GAIN = 3
"""How many times longer than its way a call must take, to be worth sending."""
CHEAP_NS = 15_000
"""Calls shorter than this travel together where few can run at the same time."""
MERGE_NS = 50_000
"""Cheap calls that take less together are sent as one: sharing them out would take longer."""
BATCH_NS = 1_000_000
"""How long the cheap steps that go with another may take together."""
_LONG_NS = 20_000_000
"""One call as long as this is no accident of the machine."""
_WEIGHT = 0.25
"""The weight of the newest of all times so far in their mean."""
_MANY, _SAMPLE = 64, 8
"""After so many remote calls, one of so many is looked at, if all places are given."""
LOCAL, REMOTE, CHEAP = range(3)
"""Here; elsewhere; elsewhere, and rather together with others."""


@dataclass(slots=True)
class _Group:
    """The nodes of one function."""

    members: list[int] = field(default_factory=list)
    calls: int = 0
    """Calls here, and the nanoseconds that they took."""
    ns: int = 0
    slow: int = 0
    """How many of them took at least `LEAST_NS`."""
    worth: bool = False
    """Whether they were found to be worth sending when they were last counted."""
    mean_ns: float | None = None
    """Of its remote calls."""
    way_ns: float = 0.0
    """What a remote call's way costs the coordinator."""
    remote: bool = False
    cheap: bool = False


class Placement:
    """Decides where steps run.

    Args:
        plan: of the tube.
        wanted: for all nodes, or by node id; nodes that are not named are adaptive.
        stateful: whether stateful nodes stay here, or each lives in a worker.

    Raises:
        PlacementError: no such node, no such placement, or a node that cannot leave.
    """

    def __init__(self, plan: Plan, wanted: str | Mapping[str, str], stateful: str) -> None:
        self._steps = list(plan.steps.values())
        self._numbers = {step.node_id: at for at, step in enumerate(self._steps)}
        self._inputs = plan.inputs
        modes = _modes(plan, wanted)
        if stateful not in get_args(Stateful):
            raise PlacementError(
                f"stateful is one of {', '.join(get_args(Stateful))}; not {stateful!r}"
            )
        self._modes: list[Mode] = []
        self._groups: dict[int, _Group] = {}
        self._group: list[_Group | None] = []
        for number, step in enumerate(self._steps):
            mode, why_not = modes[step.node_id], _why_it_stays(step)
            named = isinstance(wanted, Mapping) and step.node_id in wanted
            if why_not:
                if named and mode == "remote":
                    raise PlacementError(f"node {step.node_id!r} cannot run in a worker: {why_not}")
                mode = "local"
            elif step.ordered:
                leaves = mode == "remote" if named else stateful == "worker" and mode != "local"
                mode = "remote" if leaves else "local"
            self._modes.append(mode)
            self._group.append(self._group_of(step, number) if not why_not else None)
        self.learns = "adaptive" in self._modes
        """Whether some step's place depends on how long its calls take."""
        self._times: dict[int, float] = {}
        self._seen = 0
        self._places = [LOCAL] * len(self._steps)
        self._driver: EpochDriver | None = None
        self.is_open = False
        """Whether steps may be sent."""

    @property
    def wants(self) -> bool:
        """Whether some step is to run elsewhere in any case."""
        return "remote" in self._modes

    def is_remote(self, number: int) -> bool:
        """Whether a step runs elsewhere."""
        return self._places[number] != LOCAL

    def is_away(self, node_id: str) -> bool:
        """Whether a node's calls run elsewhere."""
        number = self._numbers.get(node_id)
        return number is not None and self._places[number] != LOCAL

    def number(self, node_id: str) -> int | None:
        """The number of a node's step; None for one that has none."""
        return self._numbers.get(node_id)

    @property
    def bundling(self) -> tuple[int, int]:
        """Up to how many cheap calls go as one, and how many cheap steps may go with another."""
        cheap = [group.mean_ns or 1.0 for group in self._groups.values() if group.cheap]
        slowest = max(cheap, default=CHEAP_NS)
        return int(MERGE_NS / slowest), int(BATCH_NS / slowest)

    def pinned(self) -> list[Any]:
        """The stateful nodes that live elsewhere."""
        return [
            step.node
            for step, mode in zip(self._steps, self._modes, strict=True)
            if step.ordered and mode == "remote"
        ]

    def recipes(self) -> dict[int, Recipe]:
        """By number, how the steps that may leave are called."""
        return {
            number: _recipe(step)
            for number, (step, mode) in enumerate(zip(self._steps, self._modes, strict=True))
            if mode != "local"
        }

    def open(self, refused: Mapping[int, Exception]) -> None:
        """Begin to send what must be sent.

        Args:
            refused: the steps that cannot be sent, with the reasons.

        Raises:
            UnpicklableError: one of them must be sent.
        """
        for number, error in refused.items():
            if self._modes[number] == "remote":
                raise error
            self.stay(number)
        self.is_open = True
        self.place([at for at, mode in enumerate(self._modes) if mode == "remote"], REMOTE)

    def close(self) -> None:
        """Nothing can be sent any more."""
        self.is_open = False
        for group in self._groups.values():
            group.remote = group.cheap = False
        self.place(range(len(self._steps)), LOCAL)

    def attach(self, driver: EpochDriver) -> None:
        """Tell a new driver, and from now on this one, where steps run."""
        self._driver = driver
        for place in (REMOTE, CHEAP):
            steps = [at for at, known in enumerate(self._places) if known == place]
            if steps:
                driver.place(steps, place)

    def seen_here(self, totals: Iterable[tuple[int, int, int]]) -> None:
        """Take note of calls here: step, how many, and the nanoseconds that they took."""
        for number, calls, ns in totals:
            group = self._group[number]
            if group is not None:
                group.calls += calls
                group.ns += ns

    def may_be_worth_sending(self, number: int, ns: int) -> bool:
        """Whether to look closer at a step that took so long here just now.

        One long call may be an accident of the machine, unless it was very long, and counting all
        calls of a function takes time: it is done at its second slow call, its fourth, and so on.
        """
        group = self._group[number]
        if group is None or self._modes[number] != "adaptive" or self.is_remote(number):
            return False
        group.slow += 1
        if ns < max(LEAST_NS, GAIN * group.way_ns):
            return False
        few = group.slow < 2 or group.slow & (group.slow - 1)  # noqa: PLR2004 (see above)
        return group.worth or ns >= _LONG_NS or not few

    def is_worth_sending(self, number: int, ns: int) -> bool:
        """Whether a step that took so long here just now would better run elsewhere."""
        group = self._group[number]
        if group is None:
            return False
        mean = group.ns / max(group.calls, 1)
        group.worth = ns >= _LONG_NS or mean >= max(LEAST_NS, GAIN * group.way_ns)
        return group.worth

    def send(self, number: int) -> None:
        """Let a step, and those of its function of which nothing else is known, run elsewhere."""
        group = self._group[number]
        if group is None:
            return
        group.remote = True
        known = self._times
        others = (at for at in group.members if at not in known and self._modes[at] == "adaptive")
        self.place([number, *others], REMOTE)

    def seen_there(self, steps: Sequence[int], clock: Sequence[int], way_ns: int) -> None:
        """Take note of a remote call.

        Args:
            steps: of the call.
            clock: for each that ran, when it began and how many nanoseconds it took; 0 and 0 for
                one that did not.
            way_ns: what its way cost the coordinator.
        """
        self._seen += 1
        if not self.learns and self._seen > _MANY and self._seen % _SAMPLE:
            return  # where nothing depends on each of them, some will do
        for at in range(0, len(clock), 2):
            number, took = steps[at >> 1], clock[at + 1]
            group = self._group[number]
            if group is None or not clock[at]:
                continue
            if group.mean_ns is None:
                group.mean_ns = float(took)
            else:
                # An accident of the machine is not to make the mean jump.
                group.mean_ns += (min(took, 8 * group.mean_ns) - group.mean_ns) / 16
            group.way_ns += _WEIGHT * (way_ns - group.way_ns)
            if self._modes[number] == "adaptive":
                self._reconsider(number, took, group)
            elif group.cheap != (group.mean_ns < (2 * CHEAP_NS if group.cheap else CHEAP_NS)):
                group.cheap = not group.cheap
                members = [it for it in group.members if self._places[it] != LOCAL]
                self.place(members, CHEAP if group.cheap else REMOTE)

    def stay(self, number: int) -> None:
        """A step takes what must not leave this process, so it does not leave either."""
        self._modes[number] = "local"
        self.place([number], LOCAL)

    def cannot_travel(self, number: int) -> bool:
        """A step's value cannot be pickled: whether it then stays here."""
        if self._modes[number] == "remote":
            return False
        self.stay(number)
        return True

    def mean_ns(self, number: int) -> float | None:
        """How long a remote call of a step takes, as far as is known."""
        group = self._group[number]
        return None if group is None else group.mean_ns

    def sources(self, number: int) -> str:
        """Says which signal each argument of a step comes from."""
        step = self._steps[number]
        names = {
            slot: f"{other.node_id}.{signal}"
            for other in self._steps
            for slot, signal in enumerate(other.signals, other.first)
        }
        names |= {slot: f"input.{name}" for name, slot in self._inputs.items()}
        taken = [*enumerate(step.positional), *step.keyword]
        told = ", ".join(f"{argument!r} is {names[slot]}" for argument, slot in taken)
        return f"of the arguments of node {step.node_id!r}, {told}" if told else ""

    def _reconsider(self, number: int, took: int, group: _Group) -> None:
        mean = self._times.get(number)
        mean = self._times[number] = took if mean is None else mean + _WEIGHT * (took - mean)
        if self.is_remote(number) and 2 * mean < max(LEAST_NS, GAIN * group.way_ns):
            self.place([number], LOCAL)

    def place(self, steps: Iterable[int], place: int) -> None:
        """Let steps run in a place from now on."""
        steps = list(steps)
        for number in steps:
            self._places[number] = place
        if self._driver is not None and steps:
            self._driver.place(steps, place)

    def _group_of(self, step: Step, number: int) -> _Group:
        node = step.node
        function = node.fn if isinstance(node, WrapFuncNode) else node
        group = self._groups.setdefault(id(function), _Group())
        group.members.append(number)
        return group


def _modes(plan: Plan, wanted: str | Mapping[str, str]) -> dict[str, Mode]:
    """What is wanted for each node."""
    known = get_args(Mode)
    modes: dict[str, Any] = dict.fromkeys(plan.steps, "adaptive")
    if isinstance(wanted, Mapping):
        for node_id, mode in wanted.items():
            if node_id not in modes:
                raise PlacementError(
                    f"placement names node {node_id!r}, which the tube does not have; it has: "
                    f"{', '.join(list(modes)[:20])}"
                )
            modes[node_id] = mode
    else:
        modes = dict.fromkeys(modes, wanted)
    for node_id, mode in modes.items():
        if mode not in known:
            where = f" of node {node_id!r}" if isinstance(wanted, Mapping) else ""
            raise PlacementError(f"placement{where} is one of {', '.join(known)}; not {mode!r}")
    return modes


def _why_it_stays(step: Step) -> str:
    """Why a node cannot leave the coordinator; nothing if it can."""
    if not step.plain:
        return (
            "it is a return, map, gather or tube, a coroutine, or takes assets or events: only a "
            "function or class that is called with values can"
        )
    if not isinstance(step.node, WrapFuncNode | WrapClassNode):
        return "its class is a node of its own, whose state is here"
    return ""


def _recipe(step: Step) -> Recipe:
    return Recipe(
        node_id=step.node_id,
        signals=step.signals,
        first=step.first,
        positional=step.positional,
        keyword=step.keyword,
        epoch_slot=step.epoch_slot,
        call=Remade(step.node) if step.ordered else step.call,  # type: ignore[arg-type] # of others it stays
        stateful=step.ordered,
    )
