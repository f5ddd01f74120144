"""Import of recorded workflows from files in the WfFormat of the WfCommons project.

Schemas 1.5 and later keep the tasks under `workflow.specification` and their run times under
`workflow.execution`; schemas up to 1.4 keep both in `workflow.tasks`. A file is told by its layout,
not by the version that it claims. It is read as what it is, something from outside: whatever is
wrong with it is one error that names the file and the culprit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noob_workloads.errors import CyclicGraphError, InvalidWfFormatError
from noob_workloads.graph import Graph, in_dependency_order

if TYPE_CHECKING:
    import os

_LONGEST = 1e12
"""Seconds that no run takes: 30,000 years. Refuses infinity too, and integers beyond a float."""

_KINDS: dict[type[Any], str] = {dict: "an object", list: "a list", str: "a string"}


def from_wfformat(path: str | os.PathLike[str]) -> Graph:
    """Read a workflow: its dependencies, names, and durations if it records any.

    A task depends on another if it calls it a parent or is called its child. Up to schema 1.4 tasks
    may be referred to by name in place of their identifier.

    Args:
        path: A JSON file of schema 1.4, 1.5 or 1.6.

    Raises:
        OSError: The file cannot be read.
        InvalidWfFormatError: It is not a workflow.
        CyclicGraphError: Its tasks depend on each other in a circle.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:  # not JSON, not text, or a number of more digits than Python reads
        raise InvalidWfFormatError(f"{path} is not JSON: {error}") from error
    except RecursionError:
        raise InvalidWfFormatError(f"{path} is nested too deeply") from None
    try:
        tasks, recorded = _tasks(document)
        identifiers = _identifiers(tasks)
        return in_dependency_order(
            predecessors=_predecessors(tasks, identifiers),
            names=list(identifiers),
            durations=_durations(list(identifiers), recorded),
        )
    except (InvalidWfFormatError, CyclicGraphError) as error:
        raise type(error)(f"{path} is not a workflow: {error}") from None


def _entry(parent: Any, key: str, kind: type[Any], where: str) -> Any:
    if not isinstance(parent, dict) or not isinstance(parent.get(key), kind):
        wanted = _KINDS[kind]
        raise InvalidWfFormatError(f"{where} has no {key!r} that is {wanted}")
    return parent[key]


def _tasks(document: Any) -> tuple[list[Any], list[Any]]:
    """The tasks, and the list of objects that record their run times."""
    workflow = _entry(document, "workflow", dict, "the document")
    if "specification" not in workflow:
        tasks = _entry(workflow, "tasks", list, "'workflow'")
        return tasks, tasks
    where = "'workflow.specification'"
    tasks = _entry(_entry(workflow, "specification", dict, "'workflow'"), "tasks", list, where)
    if "execution" not in workflow:
        return tasks, []
    execution = _entry(workflow, "execution", dict, "'workflow'")
    return tasks, _entry(execution, "tasks", list, "'workflow.execution'")


def _identifiers(tasks: list[Any]) -> dict[str, int]:
    """Position of each task by its identifier, which before schema 1.5 may be its name."""
    if not tasks:
        raise InvalidWfFormatError("it has no tasks")
    found: dict[str, int] = {}
    for number, task in enumerate(tasks):
        key = "id" if isinstance(task, dict) and "id" in task else "name"
        identifier = _entry(task, key, str, f"task {number}")
        if identifier in found:
            raise InvalidWfFormatError(f"two tasks are called {identifier!r}")
        found[identifier] = number
    return found


def _predecessors(tasks: list[Any], identifiers: dict[str, int]) -> list[set[int]]:
    names: dict[Any, int] = {}
    for number, task in enumerate(tasks):
        if isinstance(task.get("name"), str):
            # A name that two tasks share refers to neither.
            names[task["name"]] = -1 if task["name"] in names else number
    result: list[set[int]] = [set() for _ in tasks]
    for number, (identifier, task) in enumerate(zip(identifiers, tasks, strict=True)):
        for relation in ("parents", "children"):
            if relation not in task:
                continue
            for other in _entry(task, relation, list, f"task {identifier!r}"):
                place = -1
                if isinstance(other, str):
                    place = identifiers.get(other, names.get(other, -1))
                if place < 0:
                    message = f"{identifier!r} names {other!r} among its {relation}: no such task"
                    raise InvalidWfFormatError(message)
                source, target = (place, number) if relation == "parents" else (number, place)
                result[target].add(source)
    return result


def _durations(identifiers: list[str], recorded: list[Any]) -> list[float] | None:
    """Recorded seconds by task, 0 for one without; None if nothing is recorded."""
    seconds = dict.fromkeys(identifiers, 0.0)
    for number, task in enumerate(recorded):
        key = "id" if isinstance(task, dict) and "id" in task else "name"
        identifier = _entry(task, key, str, f"run {number}")
        if identifier not in seconds:
            raise InvalidWfFormatError(f"it records a run of {identifier!r}: no such task")
        value = task.get("runtimeInSeconds", task.get("runtime", 0))
        number_like = isinstance(value, int | float) and not isinstance(value, bool)
        if not number_like or not 0 <= value <= _LONGEST:
            raise InvalidWfFormatError(f"the run time of {identifier!r} is not a number of seconds")
        seconds[identifier] = float(value)
    return list(seconds.values()) if any(seconds.values()) else None
