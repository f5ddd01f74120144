"""Generated DAG workloads for NOOB tubes, with the result that every runner must reach."""

from noob_workloads.errors import (
    CyclicGraphError,
    InvalidGraphError,
    InvalidWfFormatError,
    InvalidWorkloadError,
    MissingExtraError,
    UnknownKernelError,
    UnknownPatternError,
    WorkloadError,
)
from noob_workloads.graph import Graph, Structure
from noob_workloads.kernels import KERNELS
from noob_workloads.patterns import PATTERNS
from noob_workloads.reference import reference
from noob_workloads.tube import Program
from noob_workloads.wfformat import from_wfformat
from noob_workloads.workload import Workload

__all__ = [
    "KERNELS",
    "PATTERNS",
    "CyclicGraphError",
    "Graph",
    "InvalidGraphError",
    "InvalidWfFormatError",
    "InvalidWorkloadError",
    "MissingExtraError",
    "Program",
    "Structure",
    "UnknownKernelError",
    "UnknownPatternError",
    "Workload",
    "WorkloadError",
    "from_wfformat",
    "reference",
]
