"""What can be wrong with a workload: one category, and a leaf for each kind of mistake.

Every leaf mixes in the builtin exception that a caller who knows nothing of this package would
expect, and every message names the culprit and, where there is a choice, the choices.
"""

from __future__ import annotations


class WorkloadError(Exception):
    """Base of every error that this package raises on purpose."""


class UnknownPatternError(WorkloadError, ValueError):
    """A pattern that is not in `PATTERNS`."""


class UnknownKernelError(WorkloadError, ValueError):
    """A kernel that is not in `KERNELS`."""


class InvalidWorkloadError(WorkloadError, ValueError):
    """A size, a time or a combination of options that no workload can have."""


class InvalidGraphError(WorkloadError, ValueError):
    """Arrays that do not describe a graph whose nodes are numbered in dependency order."""


class CyclicGraphError(WorkloadError, ValueError):
    """Dependencies that go round in a circle, so that no node of it can ever start."""


class InvalidWfFormatError(WorkloadError, ValueError):
    """A file that is not a workflow in the WfFormat."""


class MissingExtraError(WorkloadError, ImportError):
    """A pattern whose optional package is not installed."""
