"""Assets of every kind that NOOB knows: classes, functions, context managers, Asset subclasses.

Annotations are real objects here (no postponed evaluation): NOOB reads them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from noob import Asset

from noob_runners.testing.journal import record


class Box:
    """A mutable integer, the object that the asset nodes read and change."""

    def __init__(self, value: int = 0, label: str = "box") -> None:
        """Hold ``value``; ``label`` names the box in the journal."""
        self.value = value
        record(label, "made")

    def __repr__(self) -> str:
        """Say which value is held."""
        return f"Box({self.value})"


def make_box(value: int = 0, label: str = "box_function") -> Box:
    """A function asset."""
    return Box(value, label)


@contextmanager
def opened_box(value: int = 0, label: str = "box_context") -> Iterator[Box]:
    """A context-manager asset: entering and leaving it is journaled."""
    record(label, "entered")
    yield Box(value, label)
    record(label, "left")


class Ledger(Asset):
    """An Asset subclass with its own init and deinit; its object is a list."""

    first: int = 0
    obj: Any = None

    def init(self) -> None:
        """Open the list."""
        record(self.id, "init")
        self.obj = [self.first]

    def deinit(self) -> None:
        """Drop the list."""
        record(self.id, "deinit")
        self.obj = None
