"""The registry of runners: a name, where its harness is to be found, and how to install it.

Nothing is imported before it runs: an entry holds the dotted path of a harness
(``noob_perf.measure.harness``), so that naming a runner costs nothing and a runner whose packages
are missing is listed with its remedy instead of failing the others. A new runner appears in the
suite by a call of `register`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from noob_perf.errors import RunnerNotInstalledError, UnknownRunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping

BASELINE = "sync"
"""The runner that speedups are counted from."""


@dataclass(frozen=True, slots=True)
class RunnerEntry:
    """What the suite knows of a runner before anything of it is imported."""

    name: str
    """The name on the command line and in the results."""
    target: str
    """Dotted path of the harness class, as ``package.module:Class``."""
    summary: str
    """One line for ``--list``."""
    requires: tuple[str, ...] = ()
    """Modules that must be importable."""
    hint: str = ""
    """The command that installs what it requires."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the cell's process."""
    stock: bool = False
    """Whether it is NOOB's own, for which the load time of NOOB's own Tube matters."""
    max_nodes: int | None = None
    """The greatest graph it is asked to run; None for any."""
    limit_reason: str = ""
    """Why it cannot run more than ``max_nodes``."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The required modules that are not installed."""
        return tuple(module for module in self.requires if find_spec(module) is None)


_ENTRIES: dict[str, RunnerEntry] = {}


def register(entry: RunnerEntry) -> None:
    """Add a runner, or replace the one of the same name."""
    _ENTRIES[entry.name] = entry


def unregister(name: str) -> None:
    """Remove a runner.

    Raises:
        UnknownRunnerError: nobody registered that name.
    """
    find(name)
    del _ENTRIES[name]


def entries() -> tuple[RunnerEntry, ...]:
    """Return every registered runner, installed or not, in the order of registration."""
    return tuple(_ENTRIES.values())


def find(name: str) -> RunnerEntry:
    """Return the entry of that name.

    Raises:
        UnknownRunnerError: nobody registered that name; the message lists those that are.
    """
    try:
        return _ENTRIES[name]
    except KeyError:
        raise UnknownRunnerError(name, _ENTRIES) from None


def find_installed(name: str) -> RunnerEntry:
    """Return the entry of that name if it can run here.

    Raises:
        UnknownRunnerError: nobody registered that name.
        RunnerNotInstalledError: its packages are missing; the message says how to get them.
    """
    entry = find(name)
    if entry.missing:
        raise RunnerNotInstalledError(f"runner {name!r}: {missing_reason(entry)}")
    return entry


def missing_reason(entry: RunnerEntry) -> str:
    """Say which packages an entry lacks and how to get them."""
    return f"not installed ({', '.join(entry.missing)} is missing): {entry.hint}"


_HARNESSES = "noob_perf.measure.harness"
_PEERS_HINT = "pip install 'noob-perf[peers]'"
_PEERS_LIMIT = "a task takes it so long that larger graphs would take the suite's time"

for _entry in (
    RunnerEntry(
        BASELINE,
        f"{_HARNESSES}:Sync",
        "NOOB's SynchronousRunner with NOOB's own edge lookup: the baseline",
        stock=True,
    ),
    RunnerEntry(
        "async",
        f"{_HARNESSES}:Async",
        "NOOB's AsyncRunner with NOOB's own edge lookup",
        stock=True,
    ),
    RunnerEntry(
        "zmq",
        f"{_HARNESSES}:Zmq",
        "NOOB's ZMQRunner, a process a node",
        requires=("zmq",),
        hint="pip install 'noob[zmq]'",
        stock=True,
        max_nodes=16,
        limit_reason="ZMQRunner starts one process a node",
    ),
    RunnerEntry(
        "sync-indexed",
        f"{_HARNESSES}:SyncIndexed",
        "NOOB's SynchronousRunner on an IndexedTube",
    ),
    RunnerEntry("compiled", f"{_HARNESSES}:Compiled", "CompiledRunner, native where it can be"),
    RunnerEntry(
        "compiled-python",
        f"{_HARNESSES}:Compiled",
        "CompiledRunner on the Python twins of the native components",
        env={"NOOB_FAST": "0"},
    ),
    RunnerEntry(
        "multiprocess",
        f"{_HARNESSES}:Multiprocess",
        "MultiProcessRunner, which sends away what is worth sending",
    ),
    RunnerEntry(
        "multiprocess-remote",
        f"{_HARNESSES}:MultiprocessRemote",
        "MultiProcessRunner, which sends away all that may leave",
    ),
    RunnerEntry(
        "dask",
        "noob_perf.measure.peers:Dask",
        "dask.distributed, workers of one thread each, without NOOB",
        requires=("distributed",),
        hint=_PEERS_HINT,
        max_nodes=1_000,
        limit_reason=_PEERS_LIMIT,
    ),
    RunnerEntry(
        "ray",
        "noob_perf.measure.peers:Ray",
        "Ray, a CPU a worker, without NOOB",
        requires=("ray",),
        hint=_PEERS_HINT,
        env={"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
        max_nodes=1_000,
        limit_reason=_PEERS_LIMIT,
    ),
    RunnerEntry(
        "loop", f"{_HARNESSES}:Loop", "a plain Python loop over the same functions: the limit"
    ),
):
    register(_entry)
