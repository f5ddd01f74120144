"""The harnesses: how each runner is loaded, started, asked for an epoch and stopped.

A harness lives in a cell's own process (``noob_perf.measure.worker``) and is the only place that
knows a runner's interface. It does not measure: the worker does, so that all are timed alike.
"""

from __future__ import annotations

import asyncio
import gc
import pickle
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import cpu_count
from typing import TYPE_CHECKING, Any, Literal

import noob
from noob.node import Node, Return
from noob.runner import AsyncRunner

from noob_perf.measure.clock import timed
from noob_perf.measure.cpus import usable_cpus
from noob_perf.measure.memory import memory_now, peak_rss_bytes
from noob_perf.measure.protocol import (
    Load,
    Loaded,
    Repeat,
    Repeated,
    Start,
    Started,
    Stop,
    Stopped,
    Weigh,
    Weighed,
)
from noob_workloads import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noob.edge import Edge

    from noob_perf.measure.protocol import Reply, Request
    from noob_workloads import Workload

    Result = dict[str, int] | None


class Harness(ABC):
    """What the worker asks of a runner; the methods are called in the order in which they stand.

    Args:
        workload: what is to be run.
        workers: the processes or threads to run it in, for runners that have a choice; None for
            the runner's own.
    """

    workers = 1
    """The processes or threads that nodes really run in."""

    def __init__(self, workload: Workload, workers: int | None = None) -> None:  # noqa: ARG002 - few use it
        """Keep what is to be run, and do nothing yet."""
        self.workload = workload

    @property
    def native(self) -> bool:
        """Whether native components take part."""
        from noob_runners import components  # noqa: PLC0415 - a plain loop needs none of it

        return components.NATIVE

    def prepare(self) -> None:  # noqa: B027 - a harness may have nothing to prepare
        """Make what loading starts from; not timed, and called before every `load`."""

    def answer(self, request: Request) -> Reply:
        """Do what the suite asks for.

        Raises:
            ValueError: it is nothing that is asked of a runner.
        """
        match request:
            case Load():
                self.prepare()
                load_s, _ = timed(self.load)
                return Loaded(load_s, native=self.native)
            case Start():
                start_s, _ = timed(self.start)
                return Started(start_s, self.workers)
            case Repeat(epochs):
                seconds, results = timed(lambda: self.run(epochs))
                return Repeated(seconds, tuple(results), peak_rss_bytes())
            case Weigh():
                gc.collect()
                return Weighed(memory_now())
            case Stop():
                self.stop()
                return Stopped()
            case _:
                raise ValueError(f"a runner is not asked for {request!r}")

    @abstractmethod
    def load(self) -> None:
        """Load what is to be run; timed as ``load_s``."""

    @abstractmethod
    def start(self) -> None:
        """Start the runner; timed as ``start_s``."""

    @abstractmethod
    def run(self, epochs: int) -> Sequence[Result]:
        """Run the next epochs and return the result of each; timed as a repeat."""

    def stop(self) -> None:  # noqa: B027 - a harness may have nothing to stop
        """Stop the runner and leave nothing behind."""


class _TubeHarness(Harness):
    """A NOOB TubeRunner: the tube from the workload's specification, then process by process."""

    tube: noob.Tube
    runner: Any

    def prepare(self) -> None:
        # afresh each time, because loading writes into the dict it is given
        self.spec = self.workload.to_spec()

    def load(self) -> None:
        self.tube = self.tube_class().from_specification(self.spec)

    def tube_class(self) -> type[noob.Tube]:
        from noob_runners import IndexedTube  # noqa: PLC0415 - Stock does without it

        return IndexedTube

    def start(self) -> None:
        self.runner = self.make_runner()
        self.runner.init()

    @abstractmethod
    def make_runner(self) -> Any:
        """Create the runner of the loaded tube."""

    def run(self, epochs: int) -> Sequence[Result]:
        return [self.runner.process() for _ in range(epochs)]

    def stop(self) -> None:
        self.runner.deinit()


class SyncIndexed(_TubeHarness):
    """SynchronousRunner on an IndexedTube."""

    def make_runner(self) -> noob.SynchronousRunner:
        """Create the runner of the loaded tube."""
        return noob.SynchronousRunner(self.tube)


def _with_own_lookup() -> type[noob.Tube]:
    from noob_runners import IndexedTube  # noqa: PLC0415 - Stock does without it

    class OwnLookupTube(IndexedTube):
        """Loaded by IndexedTube in linear time, but its edges are looked up as NOOB does."""

        def in_edges(self, node: Node | str) -> list[Edge]:
            return noob.Tube.in_edges(self, node)

        def out_edges(self, node: Node | str) -> list[Edge]:
            return noob.Tube.out_edges(self, node)

    return OwnLookupTube


class Sync(SyncIndexed):
    """SynchronousRunner as NOOB's users have it, apart from the time to load."""

    def tube_class(self) -> type[noob.Tube]:
        """Load fast, look edges up as NOOB does."""
        return _with_own_lookup()


class Stock(SyncIndexed):
    """NOOB alone, loading included: what the load time of stock NOOB is measured with."""

    native = False

    def tube_class(self) -> type[noob.Tube]:
        """Load as NOOB does."""
        return noob.Tube


class Async(_TubeHarness):
    """AsyncRunner as NOOB's users have it, apart from the time to load.

    Nodes run in the event loop's default executor. Its size is asyncio's own choice unless one is
    asked for.
    """

    def __init__(self, workload: Workload, workers: int | None = None) -> None:
        """Keep what is to be run; without a number of threads, take as many as asyncio would."""
        super().__init__(workload)
        self.workers = workers or min(32, (cpu_count() or 1) + 4)

    def tube_class(self) -> type[noob.Tube]:
        """Load fast, look edges up as NOOB does."""
        return _with_own_lookup()

    def make_runner(self) -> Any:
        """Create the runner of the loaded tube; it takes the event loop that it is created in."""
        return AsyncRunner(self.tube)

    def start(self) -> None:
        """Start an event loop that lasts as long as the runner."""
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(ThreadPoolExecutor(self.workers))
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self.runner = self.make_runner()
        await self.runner.init()

    def run(self, epochs: int) -> Sequence[Result]:
        """Run the next epochs, one after the other, in the one event loop."""
        return self.loop.run_until_complete(self._run(epochs))

    async def _run(self, epochs: int) -> Sequence[Result]:
        return [await self.runner.process() for _ in range(epochs)]

    def stop(self) -> None:
        """Stop the runner, then its event loop."""
        self.loop.run_until_complete(self.runner.deinit())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


class Zmq(_TubeHarness):
    """ZMQRunner: each node in a process of its own."""

    def tube_class(self) -> type[noob.Tube]:
        """Load fast, look edges up as NOOB does."""
        return _with_own_lookup()

    def make_runner(self) -> Any:
        """Create the runner of the loaded tube, which decides how many processes there are."""
        from noob.runner.zmq import ZMQRunner  # noqa: PLC0415 - an optional extra of NOOB

        self.workers = sum(not isinstance(node, Return) for node in self.tube.nodes.values())
        return ZMQRunner(self.tube)


class Compiled(_TubeHarness):
    """CompiledRunner, on the native components or their Python twins as the process has them."""

    def make_runner(self) -> Any:
        """Create the runner of the loaded tube."""
        from noob_runners import CompiledRunner  # noqa: PLC0415 - Stock does without it

        return CompiledRunner(self.tube)


class Multiprocess(_TubeHarness):
    """MultiProcessRunner, which decides by what it measures where a node runs.

    Epochs go through it as its users send them, several in flight.
    """

    placement: Literal["adaptive", "remote"] = "adaptive"

    def __init__(self, workload: Workload, workers: int | None = None) -> None:
        """Keep what is to be run; without a number of workers, take one a processor."""
        super().__init__(workload)
        self.workers = workers or usable_cpus()

    def make_runner(self) -> Any:
        """Create the runner of the loaded tube."""
        from noob_runners import MultiProcessRunner  # noqa: PLC0415 - Stock does without it

        return MultiProcessRunner(self.tube, max_workers=self.workers, placement=self.placement)

    def run(self, epochs: int) -> Sequence[Result]:
        """Run the next epochs; their results come in order."""
        return list(self.runner.process_many([{}] * epochs))


class MultiprocessRemote(Multiprocess):
    """MultiProcessRunner that sends away every node that may leave, however little it does."""

    placement = "remote"


class Loop(Harness):
    """No runner at all: the workload's functions called in order, from a list."""

    native = False
    program: Program

    def prepare(self) -> None:
        """Make the graph, as a tube's specification does for the others."""
        self.workload.graph()

    def load(self) -> None:
        """Resolve functions and predecessors."""
        self.program = self.workload.program()

    def start(self) -> None:
        """Do nothing: a loop has no start."""

    def run(self, epochs: int) -> Sequence[Result]:
        """Run the next epochs."""
        return [self.program.run() for _ in range(epochs)]


class Pickled(Loop):
    """The plain loop with every value pickled in band on its way: what a pipe would cost."""

    def load(self) -> None:
        """Resolve functions and predecessors."""
        super().load()
        self.program = Program(
            [partial(_pickled, function) for function in self.program.functions],
            self.program.predecessors,
        )


def _pickled(function: Callable[..., Any], *values: Any) -> Any:
    return pickle.loads(pickle.dumps(function(*values), pickle.HIGHEST_PROTOCOL))  # noqa: S301 - ours
