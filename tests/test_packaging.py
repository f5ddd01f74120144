"""What holds for the repository as a whole: pins, versions, no address of a download, and that
the native extension may be missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rust/noob_fast", "runners", "workloads", ".")
OURS = ("noob-fast", "noob-runners", "noob-workloads", "noob-perf")

# Written so that no expression matches its own text here.
REGISTRY_HOSTS = (
    r"pypi\.org",
    r"pythonh[o]sted",
    r"(index|static)\.crates\.",
    r"deb\.debian",
    r"registry\.npmjs",
    r"conda\.anaconda",
)


def toml(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def requirements(pyproject: dict) -> list[str]:
    project = pyproject["project"]
    optional = project.get("optional-dependencies", {}).values()
    groups = pyproject.get("dependency-groups", {}).values()
    return [text for group in (project["dependencies"], *optional, *groups) for text in group]


def test_uv_and_pip_are_given_the_same_pins():
    assert pins() == toml("pyproject.toml")["tool"]["uv"]["constraint-dependencies"]


def test_a_pin_is_a_name_with_one_version_and_no_address():
    for line in pins():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*( ; [^@/]+)?", line), line


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_dependency_has_a_pin_that_it_accepts(folder):
    pinned: dict[str, list[str]] = {}
    for line in pins():
        name, _, rest = line.partition("==")
        pinned.setdefault(name, []).append(rest.split(" ", 1)[0])
    for requirement in map(Requirement, requirements(toml(f"{folder}/pyproject.toml"))):
        name = canonicalize_name(requirement.name)
        if name in OURS:
            continue
        assert name in pinned, f"{name} has no pin: run .ci/pin.py"
        for found in pinned[name]:
            assert requirement.specifier.contains(found), f"{name}=={found} is not {requirement}"


def test_the_four_packages_have_one_version():
    projects = {folder: toml(f"{folder}/pyproject.toml")["project"] for folder in FOLDERS}
    declared = {folder: project.get("version") for folder, project in projects.items()}
    # maturin takes the version of the extension from its crate.
    declared["rust/noob_fast"] = toml("rust/noob_fast/Cargo.toml")["package"]["version"]
    installed = {name: version(name) for name in OURS}
    assert len({*declared.values(), *installed.values()}) == 1, (declared, installed)


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_tracked_file_names_a_package_registry(host):
    found = subprocess.run(
        ["git", "grep", "-lIE", "-e", host],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # git grep: 0 a match, 1 none, more an error.
    assert found.returncode == 1, found.stdout + found.stderr


def test_the_lock_with_download_addresses_is_not_tracked():
    tracked = subprocess.run(
        ["git", "ls-files", "uv.lock", "rust/noob_fast/Cargo.lock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert tracked.stdout.split() == ["rust/noob_fast/Cargo.lock"]


WITHOUT_NATIVE = """
import sys
sys.modules["noob_fast"] = None  # what makes an import of it fail as if it were not installed
from noob_runners import CompiledRunner, IndexedTube
from noob_runners.components import NATIVE
from noob_workloads import Workload, reference

workload = Workload(pattern="stencil_1d", nodes=32, width=8)
with CompiledRunner(IndexedTube.from_specification(workload.to_spec())) as runner:
    results = [runner.process() for _ in range(3)]
assert results == reference(workload, 3), results
print(NATIVE)
"""


@pytest.mark.parametrize(("chosen", "warnings"), [(False, 1), (True, 0)], ids=["missing", "off"])
def test_without_the_extension_the_twins_run_and_say_so_once(chosen, warnings):
    environment = {name: value for name, value in os.environ.items() if name != "NOOB_FAST"}
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", WITHOUT_NATIVE],
        env=environment | ({"NOOB_FAST": "0"} if chosen else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    assert done.stderr.count("NativeMissingWarning: ") == warnings, done.stderr
