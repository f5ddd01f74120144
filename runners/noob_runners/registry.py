"""The runners that the command knows: a name, where the class is, what it takes, how to get it.

An entry holds a dotted path, so naming a runner imports nothing. A new runner appears in the
command by a call of `register`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from noob.exceptions import RunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noob.runner import TubeRunner

__all__ = [
    "DEFAULT",
    "RunnerEntry",
    "RunnerNotInstalledError",
    "RunnerOptionError",
    "UnknownRunnerError",
    "find",
    "names",
    "register",
    "takers",
]

DEFAULT = "compiled"
"""The runner that is taken when none is named."""


class UnknownRunnerError(RunnerError, ValueError):
    """A runner's name that nobody has registered."""


class RunnerNotInstalledError(RunnerError, ImportError):
    """A registered runner whose packages are missing; the message says how to get them."""


class RunnerOptionError(RunnerError, TypeError):
    """An option that a runner does not take."""


@dataclass(frozen=True, slots=True)
class RunnerEntry:
    """What is known of a runner before anything of it is imported."""

    name: str
    """The name on the command line."""
    target: str
    """Where its class is, as ``package.module:Class``. The class is called with a tube, and has the
    synchronous interface of NOOB's ``TubeRunner``. If it has a generator method ``process_many``,
    from an iterable of inputs to the results of their epochs in order, the command runs by that."""
    summary: str
    """One line that says what it is for."""
    options: Mapping[str, str | None] = field(default_factory=dict)
    """The command's options that it takes (``workers``), each with the class's parameter; None for
    one that asks a method of the same name (``stats``)."""
    hint: str = ""
    """The command that installs what it needs, where noob-runners alone is not enough."""

    def load(self) -> type[TubeRunner]:
        """Import the class.

        Raises:
            RunnerNotInstalledError: a module that it needs cannot be imported.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return cast("type[TubeRunner]", getattr(import_module(module), attribute))
        except ImportError as error:
            remedy = f"; install it by: {self.hint}" if self.hint else ""
            raise RunnerNotInstalledError(
                f"runner {self.name!r} is not installed ({error}){remedy}"
            ) from error

    def parameters(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Turn options of the command into parameters of the class.

        Raises:
            RunnerOptionError: the runner does not take one of them; the message says which do.
        """
        for option in options:
            if option not in self.options:
                raise RunnerOptionError(
                    f"runner {self.name!r} takes no --{option}; runners that do: "
                    f"{', '.join(takers(option)) or 'none'}"
                )
        named = ((self.options[option], value) for option, value in options.items())
        return {parameter: value for parameter, value in named if parameter is not None}


_ENTRIES: dict[str, RunnerEntry] = {}


def register(entry: RunnerEntry) -> None:
    """Add a runner, or replace the one of the same name."""
    _ENTRIES[entry.name] = entry


def names() -> tuple[str, ...]:
    """Return the names of all runners, installed or not, in the order of registration."""
    return tuple(_ENTRIES)


def takers(option: str) -> tuple[str, ...]:
    """Return the names of the runners that take an option of the command."""
    return tuple(entry.name for entry in _ENTRIES.values() if option in entry.options)


def find(name: str) -> RunnerEntry:
    """Return the entry of that name.

    Raises:
        UnknownRunnerError: nobody registered that name; the message lists those that are.
    """
    try:
        return _ENTRIES[name]
    except KeyError:
        raise UnknownRunnerError(
            f"unknown runner {name!r}; known runners: {', '.join(_ENTRIES)}"
        ) from None


register(
    RunnerEntry("compiled", "noob_runners.compiled:CompiledRunner", "one process, least overhead")
)
register(
    RunnerEntry(
        "multiprocess",
        "noob_runners.multiprocess:MultiProcessRunner",
        "several processes on this machine, adaptive",
        {"workers": "max_workers", "timeline": "timeline", "stats": None},
    )
)
register(RunnerEntry("sync", "noob:SynchronousRunner", "NOOB's own runner in one process"))
