"""The lab's errors: one category, then leaves that mix in a builtin; messages name the culprit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class LabError(Exception):
    """Any error that the lab raises about its own use or its own files."""


class UnknownRunnerError(LabError, KeyError):
    """A runner's name that nobody has registered."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name the culprit and what would have been accepted."""
        self.message = f"unknown runner {name!r}; known runners: {', '.join(known)}"
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the sentence itself: KeyError would show it quoted."""
        return self.message


class RunnerNotInstalledError(LabError, ImportError):
    """A registered runner whose packages are missing; the message says how to get them."""


class UnsupportedError(LabError):
    """What is to be measured is not there, or cannot do what is asked; the message says why."""


class ResultsError(LabError):
    """Any error about a results file."""


class InvalidResultError(ResultsError, ValueError):
    """A results file that does not follow its schema."""


class UnknownSchemaError(ResultsError, ValueError):
    """A results file of a schema version that this reader does not know."""


def one_line(error: Exception) -> str:
    """Write the type and the message of an exception on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
