"""How the tests of MultiProcessRunner make tubes and see what is left of a runner."""

from __future__ import annotations

from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from multiprocess_nodes import HERE, until

from noob_runners import IndexedTube, MultiProcessRunner
from noob_runners.testing.spec import node, tube

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noob import Tube

_SHARED = Path("/dev/shm")


def own(name: str, *positional: str, **options: Any) -> dict[str, Any]:
    """A node of `multiprocess_nodes`; see `noob_runners.testing.spec.node`."""
    return {**node(name, *positional, **options), "type": f"multiprocess_nodes.{name}"}


def load(**nodes: Any) -> Tube:
    """A tube of nodes (and `inputs` and `assets`)."""
    return IndexedTube.from_specification(tube(**nodes))


def runner(tube: Tube, max_workers: int = 2, **options: Any) -> MultiProcessRunner:
    """A runner whose workers come from a fork server, unless it is told otherwise."""
    options.setdefault("start_method", "forkserver")
    return MultiProcessRunner(tube, max_workers=max_workers, **options)


def workers() -> list[psutil.Process]:
    """The worker processes of this process."""
    helpers = {
        forkserver._forkserver._forkserver_pid,  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._pid,  # type: ignore[attr-defined]
    }
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.pid not in helpers and is_alive(process)
    ]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def nothing_left() -> Iterator[None]:
    """See that no worker and no shared memory is left behind."""
    HERE.clear()
    before = _shared_files()
    yield
    HERE.clear()
    until(lambda: not workers(), "the end of all workers")
    until(lambda: _shared_files() <= before, "the end of all shared memory")


def _shared_files() -> set[Path]:
    return set(_SHARED.iterdir()) if _SHARED.is_dir() else set()
