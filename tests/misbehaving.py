"""Harnesses that go wrong in every way that the suite must survive; they need no runner at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from noob_perf.measure.harness import Loop


class Crashing(Loop):
    """Ends its process in the middle of an epoch."""

    def run(self, epochs):
        print("about to fall over", file=sys.stderr, flush=True)
        os._exit(7)


class Segfaulting(Loop):
    """Is killed by a signal."""

    def run(self, epochs):
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().run(epochs)


class Raising(Loop):
    """Raises while it loads."""

    def load(self):
        raise ZeroDivisionError("no such thing")


class Wrong(Loop):
    """Gives a wrong result, after a right one."""

    epochs_run = 0

    def run(self, epochs):
        self.epochs_run += epochs
        results = super().run(epochs)
        return results if self.epochs_run == epochs else [{"digest": -1}] * epochs


class Short(Loop):
    """Gives fewer results than epochs."""

    def run(self, epochs):
        return super().run(epochs)[1:]


class Unstoppable(Loop):
    """Raises when it is stopped."""

    def stop(self):
        raise RuntimeError("will not")


class Hanging(Loop):
    """Starts a process that would outlive it, notes both, and hangs."""

    def run(self, epochs):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note = Path(os.environ["HANGING_NOTE"])
        partial = note.with_suffix(".partial")
        partial.write_text(f"{os.getpid()} {child.pid}")
        partial.rename(note)
        time.sleep(600)
        return super().run(epochs)


class HangingLater(Hanging):
    """Hangs, but not in its warm-up nor in its first repeat."""

    turns = 0

    def run(self, epochs):
        self.turns += 1
        return Loop.run(self, epochs) if self.turns <= 2 else super().run(epochs)
