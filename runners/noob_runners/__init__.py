"""Runners for NOOB tubes that give exactly SynchronousRunner's results, in time linear in nodes."""

from noob_runners.compiled import CompiledRunner
from noob_runners.errors import StalledEpochError, UnknownSignalError
from noob_runners.tube import IndexedTube

__all__ = ["CompiledRunner", "IndexedTube", "StalledEpochError", "UnknownSignalError"]
