"""The timeline of a run, as a file that Perfetto (ui.perfetto.dev) and Chrome's tracing page open.

The file is in the JSON Array Format of Chrome's trace events ("Trace Event Format", by Google's
Chrome team), one event a line. There a missing ``]`` is allowed, and every epoch is written as soon
as it has ended, so the file of a run that was killed opens too, up to its last whole epoch.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from noob.exceptions import RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from noob import Epoch

__all__ = ["Slice", "Timeline", "TimelineError", "critical_path"]

_COORDINATOR = 100
"""The number of the coordinator's track. The workers' follow; critical paths come before."""
_MOST_PATHS = _COORDINATOR - 1
"""How many epochs' critical paths are shown of one and the same moment."""


class TimelineError(RunnerError, OSError):
    """A timeline cannot be written."""


class Slice(NamedTuple):
    """One call of a node."""

    place: int
    """The number of the worker that it ran in; -1 for the coordinator."""
    node_id: str
    epoch: Epoch
    begin_ns: int
    """When it began, in nanoseconds of `time.monotonic_ns`."""
    duration_ns: int

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.begin_ns + self.duration_ns


class Timeline:
    """Writes what ran where and when: a track for the coordinator and one for each worker.

    Each call is a complete event with its node and epoch as arguments. Those on the critical path
    of their epoch (see `critical_path`) are of the category "critical", the others of the category
    "call"; the former are repeated on a track named "critical path", and where the paths of several
    epochs overlap, on as many such tracks as it takes. Times are microseconds since the begin of
    the earliest call of the first epoch that ended. After an error, and after `close`, nothing is
    written any more.

    Args:
        path: the file; what is there is overwritten.
        edges: the node that emits and the node that receives, for each dependency.

    Raises:
        TimelineError: the file cannot be written; also by `epoch` and `close`.
    """

    def __init__(self, path: str | PathLike[str], edges: Iterable[tuple[str, str]]) -> None:
        self._path = Path(path)
        sources: defaultdict[str, set[str]] = defaultdict(set)
        for source, target in edges:
            sources[target].add(source)
        self._sources = {target: sorted(names) for target, names in sources.items()}
        self._slices: defaultdict[int, list[Slice]] = defaultdict(list)
        self._origin_ns = 0
        self._shown: set[int] = set()
        self._path_ends: list[int] = []  # of each critical path's track, when its last slice ends
        self._names: dict[str, str] = {}
        try:
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise self._error(error) from error
        self._write('[\n{"name":"process_name","ph":"M","pid":1,"args":{"name":"NOOB"}}')

    def call(self, place: int, node_id: str, epoch: Epoch, begin_ns: int, duration_ns: int) -> None:
        """Note a call that has ended; see `Slice`."""
        self._slices[epoch.root].append(Slice(place, node_id, epoch, begin_ns, duration_ns))

    def epoch(self, epoch: Epoch) -> None:
        """Write the calls of a root epoch that has ended, and of its sub-epochs; then forget them.

        Raises:
            TimelineError: the file cannot be written.
        """
        self._write_epoch(self._slices.pop(epoch.root, []))

    def drop(self, epoch: Epoch) -> None:
        """Forget the calls of a root epoch that was given up."""
        self._slices.pop(epoch.root, None)

    def close(self) -> None:
        """Write what is left and complete the file. May be called again.

        Raises:
            TimelineError: the file cannot be written.
        """
        while self._slices:  # epochs that did not come to their end
            self._write_epoch(self._slices.pop(min(self._slices)))
        self._write("\n]\n")
        self._file.close()

    def _write_epoch(self, slices: list[Slice]) -> None:
        if not slices:
            return
        if not self._shown:
            known = [slices, *self._slices.values()]
            self._origin_ns = min(call.begin_ns for calls in known for call in calls)
        path = critical_path(slices, self._sources)
        critical = set(map(id, path))
        lines = []
        for call in slices:
            track = _COORDINATOR + 1 + call.place
            name = "coordinator" if call.place < 0 else f"worker {call.place}"
            lines += self._new_track(track, name)
            lines.append(self._event(call, track, "critical" if id(call) in critical else "call"))
        above = self._path_track(path)
        if above is not None:
            lines += self._new_track(above, "critical path" + (f" {above}" if above > 1 else ""))
            lines += [self._event(call, above, "critical") for call in path]
        self._write("".join(f",\n{line}" for line in lines))

    def _path_track(self, path: Sequence[Slice]) -> int | None:
        """The first track on which nothing overlaps the path; None if there are too many."""
        begin, end = path[0].begin_ns, path[-1].end_ns
        for at, last in enumerate(self._path_ends):
            if last <= begin:
                self._path_ends[at] = end
                return at + 1
        if len(self._path_ends) == _MOST_PATHS:
            return None
        self._path_ends.append(end)
        return len(self._path_ends)

    def _new_track(self, track: int, name: str) -> list[str]:
        """What is to be written of a track before its first slice."""
        if track in self._shown:
            return []
        self._shown.add(track)
        return [
            f'{{"name":"thread_name","ph":"M","pid":1,"tid":{track},"args":{{"name":"{name}"}}}}'
        ]

    def _event(self, call: Slice, track: int, category: str) -> str:
        name = self._names.get(call.node_id)
        if name is None:
            name = self._names[call.node_id] = json.dumps(call.node_id)
        since_ns = call.begin_ns - self._origin_ns
        return (
            f'{{"name":{name},"cat":"{category}","ph":"X","ts":{since_ns / 1e3:.3f},'
            f'"dur":{call.duration_ns / 1e3:.3f},"pid":1,"tid":{track},'
            f'"args":{{"node":{name},"epoch":{json.dumps(str(call.epoch))}}}}}'
        )

    def _write(self, text: str) -> None:
        """Write at once: nothing waits in a buffer for a crash, or for a process that is forked."""
        if self._file.closed:
            return
        rest = memoryview(text.encode("ascii"))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.close()
            raise self._error(error) from error

    def _error(self, error: OSError) -> TimelineError:
        return TimelineError(f"cannot write the timeline {self._path}: {error.strerror or error}")


def critical_path(slices: Iterable[Slice], sources: Mapping[str, Sequence[str]]) -> list[Slice]:
    """The chain of calls that determined when an epoch ended.

    Its last call is the one that ended last. Before each call stands that one of its predecessors
    which ended last, until a call has none. The predecessors of a call are the calls of its node's
    sources, in the same epoch or in one above or below it (maps and gathers lead from one to the
    other), that had ended when it began. A wait for a free worker is a gap in the chain.

    Args:
        slices: the calls of one root epoch and its sub-epochs.
        sources: for each node the nodes that it depends on, in a graph without cycles.

    Returns:
        The chain from its first call to its last. No two of them overlap.
    """
    by_node: defaultdict[str, list[Slice]] = defaultdict(list)
    for call in slices:
        by_node[call.node_id].append(call)
    chain: list[Slice] = []
    candidates = [call for calls in by_node.values() for call in calls]
    while candidates:
        last = max(candidates, key=lambda call: call.end_ns)
        chain.append(last)
        candidates = [
            call
            for source in sources.get(last.node_id, ())
            for call in by_node.get(source, ())
            if call.end_ns <= last.begin_ns and _related(call.epoch, last.epoch)
        ]
    chain.reverse()
    return chain


def _related(one: Epoch, other: Epoch) -> bool:
    return one == other or one in other.parents or other in one.parents
