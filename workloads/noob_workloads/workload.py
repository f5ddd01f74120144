"""The value that names a workload, and the ways to have it: as a graph, a tube or a plain loop."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from noob import Tube

from noob_workloads import tube
from noob_workloads.errors import InvalidWorkloadError, UnknownKernelError, UnknownPatternError
from noob_workloads.kernels import DIGEST_BYTES, KERNELS
from noob_workloads.patterns import PATTERNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from noob_workloads.graph import Graph

_Tube = TypeVar("_Tube", bound=Tube)

_MOST = 2**31 - 1
"""The greatest count of anything: node numbers fit 32 bits."""
_GREATEST_IMBALANCE = 2.0


@dataclass(frozen=True, slots=True)
class Workload:
    """What is executed: a graph, and what its nodes do. Equal workloads run equally.

    Attributes:
        pattern: How nodes depend on each other: a name in `PATTERNS`.
        nodes: How many nodes; of a scientific workflow roughly, of a file whatever it holds. The
            graph says how many there are.
        width: Nodes in each step, where the pattern has steps.
        fan_in: Predecessors of a node, where the pattern leaves it open.
        kernel: What a node does: a name in `KERNELS`.
        duration: Mean seconds of work of a node; 0 for a kernel that never does any.
        output_bytes: Size of a node's output; other than 8, an integer, only with `payload`.
        imbalance: How unequal the durations are, from 0 (all equal) to 2 (from none to twice
            the mean): see `durations`.
        density: The chance of each possible edge, where the pattern draws them, in (0, 1]. None
            for the pattern's own way: `fan_in` edges in random_layered, 0.25 in random_nearest.
        jump: How many layers back an edge may reach, in random_layered.
        seed: Seed of everything that is drawn.
        source: The file of pattern `wfformat`.

    Raises:
        UnknownPatternError: There is no such pattern.
        UnknownKernelError: There is no such kernel.
        InvalidWorkloadError: A value out of its range, or two that contradict each other.
    """

    pattern: str = "random_layered"
    nodes: int = 10_000
    width: int = 100
    fan_in: int = 2
    kernel: str = "noop"
    duration: float = 0.0
    output_bytes: int = 8
    imbalance: float = 0.0
    density: float | None = None
    jump: int = 1
    seed: int = 0
    source: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before anything is built."""
        if self.pattern not in PATTERNS:
            known = ", ".join(PATTERNS)
            raise UnknownPatternError(f"unknown pattern {self.pattern!r}; known are: {known}")
        if self.kernel not in KERNELS:
            known = ", ".join(KERNELS)
            raise UnknownKernelError(f"unknown kernel {self.kernel!r}; known are: {known}")
        for name in ("nodes", "width", "fan_in", "jump"):
            self._check_integer(name, 1)
        self._check_integer("output_bytes", DIGEST_BYTES)
        self._check_integer("seed", 0)
        self._check_number("duration", math.inf)
        self._check_number("imbalance", _GREATEST_IMBALANCE)
        if self.density is not None:
            self._check_number("density", 1)
            if self.density == 0:
                raise InvalidWorkloadError("density must be more than 0, or None")
        self._check_combination()

    def graph(self) -> Graph:
        """The dependencies; of the last few workloads asked for, kept.

        Raises:
            MissingExtraError: The pattern needs an optional package.
            InvalidWorkloadError: The pattern cannot be that small, or that large.
            OSError: The source file cannot be read.
            InvalidWfFormatError: The source file is not a workflow.
            CyclicGraphError: The source file's workflow has a cycle.
        """
        return _graph(self)

    def durations(self) -> NDArray[np.float64]:
        """Seconds of work of each node, float64[nodes], whose mean is `duration`.

        Node i takes `duration * (1 + imbalance * (u[i] - 1/2))`, as in Task Bench, where u is
        uniform on (0, 1). The numbers `(k + 1/2) / nodes` are dealt out at random in place of
        independent draws, so that the mean is kept exactly, whatever the seed and the imbalance.
        With recorded durations (pattern `wfformat`) it is these, scaled to the mean.
        """
        graph = self.graph()
        if graph.durations is not None:
            scale = self.duration / float(graph.durations.mean())
            return graph.durations * scale
        # The seed is not the graph's: what a node does must not depend on its dependencies.
        rng = np.random.default_rng((self.seed, 1))
        uniform = (np.argsort(rng.random(graph.nodes)) + 0.5) / graph.nodes
        factors: NDArray[np.float64] = 1 + self.imbalance * (uniform - 0.5)
        return self.duration * factors

    def to_spec(self) -> dict[str, Any]:
        """The NOOB specification of the workload's tube, new at every call, as NOOB changes it.

        The tube has a source `src`, the nodes `n0`, `n1` and so on, a tree of nodes `f0`, `f1`
        and so on that fold all outputs which nothing else takes into one, and `ret`, which
        returns that as `{"digest": ...}`: one number that depends on every node and the epoch.
        Every node stands behind those that it depends on.
        """
        return tube.to_spec(self)

    def to_yaml(self) -> str:
        """The same as a file that `noob run` takes."""
        return tube.to_yaml(self.to_spec())

    def to_tube(self, cls: type[_Tube] = Tube) -> _Tube:  # type: ignore[assignment]
        """The same as a loaded tube of the given class."""
        return cls.from_specification(self.to_spec())

    def program(self) -> tube.Program:
        """The same as a plain Python loop over the same functions, without any of NOOB."""
        return tube.to_program(self)

    def _check_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
            message = f"{name} must be an integer from {least} to {_MOST}, not {value!r}"
            raise InvalidWorkloadError(message)

    def _check_number(self, name: str, most: float) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= most or math.isinf(value):
            upper = "any finite one" if math.isinf(most) else f"{most:g}"
            raise InvalidWorkloadError(f"{name} must be a number from 0 to {upper}, not {value!r}")

    def _check_combination(self) -> None:
        """Refuse options that would silently do nothing: they would make a false measurement."""
        kernel = KERNELS[self.kernel]
        if self.duration and kernel.amount is None:
            message = f"kernel {self.kernel!r} never works: duration must be 0, not {self.duration}"
            raise InvalidWorkloadError(message)
        if self.output_bytes != DIGEST_BYTES and not kernel.sized:
            message = (
                f"kernel {self.kernel!r} returns an integer of {DIGEST_BYTES} bytes: "
                f"output_bytes {self.output_bytes} needs kernel 'payload'"
            )
            raise InvalidWorkloadError(message)
        if (self.pattern == "wfformat") != (self.source is not None):
            message = f"source {self.source!r} with pattern {self.pattern!r}: a file belongs to "
            raise InvalidWorkloadError(message + "pattern 'wfformat', which needs one")
        if self.imbalance and self.source is not None:
            message = "imbalance must be 0 with pattern 'wfformat': its recorded durations have one"
            raise InvalidWorkloadError(message)


@functools.lru_cache(maxsize=4)
def _graph(workload: Workload) -> Graph:
    return PATTERNS[workload.pattern].build(workload)
