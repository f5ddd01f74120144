"""Components that go wrong in every way that the component lab must survive."""

from __future__ import annotations

import os
import time

from noob_perf.errors import UnsupportedError
from noob_perf.measure.subject import Operation, Subject, expect


class _Component(Subject):
    """A component with two operations, of which the first goes wrong."""

    def prepare(self):
        return {
            "first": Operation(self.first, self.check),
            "second": Operation(self.run, self.check),
        }

    def first(self, given):
        return self.run(given)

    def run(self, _given):
        return self.case.size

    def check(self, result):
        expect(result, self.case.size, "the size")


class GoodComponent(_Component):
    """Does what it ought to."""


class WrongComponent(_Component):
    """Gives a wrong result, and not the first time: right ones before do not help."""

    times = 0

    def first(self, given):
        self.times += 1
        return self.run(given) + (self.times > 3)


class RaisingComponent(_Component):
    """Raises."""

    def first(self, given):
        raise ZeroDivisionError("no\nsuch thing")


class DyingComponent(_Component):
    """Ends its process."""

    def first(self, given):
        os._exit(7)


class HangingComponent(_Component):
    """Never comes back."""

    def first(self, given):
        time.sleep(1000)


class AbsentComponent(_Component):
    """Finds out that there is nothing to be measured."""

    def __init__(self, case, workers=None):
        raise UnsupportedError("there is no such component")


class PartialComponent(_Component):
    """Does not know one of its operations."""

    def prepare(self):
        return {**super().prepare(), "first": "it has no first"}
