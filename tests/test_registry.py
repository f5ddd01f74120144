"""The registry: lazy, and helpful about what is not there."""

from __future__ import annotations

import pytest

from noob_perf import registry
from noob_perf.errors import LabError, RunnerNotInstalledError, UnknownRunnerError


def test_the_runners_of_the_suite_are_registered():
    names = [entry.name for entry in registry.entries()]
    expected = [
        "sync", "async", "zmq", "sync-indexed", "compiled", "compiled-python", "multiprocess",
        "multiprocess-remote", "dask", "ray", "loop",
    ]  # fmt: skip
    assert names[: len(expected)] == expected


def test_an_unknown_name_is_refused_with_the_list():
    with pytest.raises(UnknownRunnerError, match=r"'warp'.*sync, async, zmq") as caught:
        registry.find("warp")
    assert isinstance(caught.value, LabError)
    assert isinstance(caught.value, KeyError)


def test_registering_imports_nothing_and_says_how_to_install(misbehave):
    misbehave("Absent", requires=("no_such_module_at_all",), hint="pip install absent")
    assert registry.find("Absent").missing == ("no_such_module_at_all",)
    with pytest.raises(RunnerNotInstalledError, match=r"no_such_module_at_all.*pip install absent"):
        registry.find_installed("Absent")


def test_a_runner_can_be_taken_back(misbehave):
    misbehave("Passing")
    registry.unregister("Passing")
    with pytest.raises(UnknownRunnerError):
        registry.unregister("Passing")
