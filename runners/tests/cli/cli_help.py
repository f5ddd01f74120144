"""What the tests of the command share: nodes, runners, and ways to call it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

from noob import Node, SynchronousRunner

from noob_runners.multiprocess import MultiProcessRunner
from noob_runners.testing.spec import node

HERE = Path(__file__)
LIMIT_S = 60
COUNT = {"a": node("nodes.count"), "r": node("return", a="a.value")}
OURS: dict = {}


# --- nodes, found by this module's name in every process


def own(kind, *positional, module="cli_help", **options):
    return {**node("nodes.count", *positional, **options), "type": f"{module}.{kind}"}


def there():
    return OURS["value"]


def speaks():
    print("a node speaks")
    os.write(1, b"and so does C\n")
    return 1


def slow(value, mark="", seconds=0.02):
    Path(mark).touch()
    time.sleep(seconds)
    return value


class Marked(Node):
    """Leaves a file when it is stopped."""

    mark: str

    def process(self):
        return 1

    def deinit(self):
        Path(self.mark).touch()


class Fails(Node):
    """Fails where it is told to."""

    at: str

    def init(self):
        self._reach("init")

    def process(self):
        self._reach("process")
        return 1

    def deinit(self):
        self._reach("deinit")

    def _reach(self, where):
        OURS.setdefault("reached", []).append(where)
        if where in self.at.split():
            raise LookupError(f"in {where}")


class Refuses:
    """A class that NOOB wraps."""

    def process(self, value):
        raise LookupError(f"{value}")


class Pooled(SynchronousRunner):
    """Says that it works in the way of a MultiProcessRunner: two epochs ahead."""

    def __init__(self, tube, max_workers=1, timeline=None):
        super().__init__(tube)
        self.max_workers = max_workers
        OURS.update(max_workers=max_workers, timeline=timeline, read=0, ended=False)

    def process_many(self, inputs):
        try:
            inputs = iter(inputs)
            ahead = []
            while True:
                for given_ in islice(inputs, 3 - len(ahead)):
                    ahead.append(given_)
                    OURS["read"] += 1
                if not ahead:
                    return
                yield self.process(**ahead.pop(0))
        finally:
            OURS["ended"] = True

    def stats(self):
        assert not self.running
        return "what it has cost"


def remote(tube_, **options):
    """A runner that sends away whatever may leave."""
    return MultiProcessRunner(tube_, placement="remote", **options)


def where(value):
    """Takes long enough to be sent away; says where it ran."""
    time.sleep(0.02)
    return [value, os.getpid()]


def dies(value):
    """Raises what a node does that takes too much of an iterator."""
    return value if value < 2 else next(iter(()))


# --- calling it


def start(*arguments, command=None, **options):
    command = command or [sys.executable, "-m", "noob_runners"]
    return subprocess.Popen(
        [*command, "run", *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONWARNINGS": "ignore"},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    )


def await_file(path, process):
    deadline = time.monotonic() + LIMIT_S
    while not path.exists():
        assert process.poll() is None, process.communicate(timeout=LIMIT_S)
        assert time.monotonic() < deadline
        time.sleep(0.01)
