"""The fingerprint of the machine: what a time depends on, without a host name or a path."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from noob_perf.measure.cpus import usable_cpus
from noob_perf.results import Machine
from noob_runners import components

_PACKAGES = (
    "noob", "noob-core", "noob-fast", "noob-runners", "noob-workloads", "noob-perf", "numpy",
)  # fmt: skip


def fingerprint() -> Machine:
    """Describe the machine, the interpreter and the packages that this process runs on."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        processor=_processor(),
        cpus=usable_cpus(),
        memory_bytes=psutil.virtual_memory().total,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        native_build=components.build(),
        packages=_versions(),
        load_average=round(_load_average(), 2),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _load_average() -> float:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return -1.0
