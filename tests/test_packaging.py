"""What is installed: from a source distribution, from the tree, with a compiler and without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

PACKAGES = {
    "benchsuite": "benchsuite",
    "benchsuite_kernels": "kernels/benchsuite_kernels",
    "benchsuite_plugins": "plugins/benchsuite_plugins",
    "benchsuite_zoo": "zoo/benchsuite_zoo",
}
TOP_FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
GENERIC_NAMES = ("kernels", "plugins", "zoo", "tests", "leaderboards", "benchmarks", "setup")
NO_COMPILER = {"CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}

DESCRIBE = f"""
import json
from importlib.util import find_spec
import benchsuite_kernels
print(json.dumps({{
    "origins": {{name: find_spec(name).origin for name in {tuple(PACKAGES)}}},
    "generic": [name for name in {GENERIC_NAMES} if find_spec(name)],
    "implementations": benchsuite_kernels.implementations(),
    "why_reference": benchsuite_kernels.why_reference(),
}}))
"""


def sources(folder: Path) -> dict[str, Path]:
    """Path in the wheel to file, for everything in the four packages."""
    return {
        (Path(package) / path.relative_to(folder / place)).as_posix(): path
        for package, place in PACKAGES.items()
        for path in (folder / place).rglob("*")
        if path.is_file()
    }


def pip(*arguments: str | Path, **environment: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build_wheel(tree: Path, out: Path, **environment: str) -> Path:
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, tree, **environment)
    (wheel,) = out.glob("*.whl")
    return wheel


def call_backend(call: str, tree: Path, **environment: str) -> None:
    """Call a build hook as a frontend does: in the tree, in an interpreter of its own."""
    subprocess.run(
        [sys.executable, "-c", f"import setuptools.build_meta as backend; backend.{call}"],
        cwd=tree,
        env=os.environ | environment,
        capture_output=True,
        check=True,
    )


def install(home: Path, wheel: Path) -> Path:
    """Install into a fresh environment without anything else; returns its interpreter."""
    venv.create(home)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    return python


def describe(python: Path, elsewhere: Path) -> dict:
    """What an interpreter finds from a working directory that has nothing to do with us."""
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.pop("BENCHSUITE_KERNELS", None)
    output = subprocess.run(
        [python, "-c", DESCRIBE],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output)


@pytest.fixture(scope="module")
def tree(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the distribution is built from, without what was built in place."""
    pytest.importorskip("setuptools")
    copy = tmp_path_factory.mktemp("packaging") / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", ".*")
    for place in PACKAGES.values():
        shutil.copytree(repository / place, copy / place, ignore=ignored)
    for name in TOP_FILES:
        shutil.copy2(repository / name, copy / name)
    return copy


@pytest.fixture
def compiled_tree(tree: Path, repository: Path) -> Path:
    """With what was compiled of these sources when they were installed, if they were: only what is
    older than its source is compiled again."""
    for folder in (repository / "build").glob("temp.*"):
        shutil.copytree(folder, tree / "build" / folder.name, dirs_exist_ok=True)
    return tree


@pytest.fixture(scope="module")
def unpacked(tree: Path) -> Path:
    """The source distribution, unpacked, with the build folder of an older version in it."""
    call_backend("build_sdist('dist')", tree)
    (archive,) = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as contents:
        contents.extractall(tree.parent, filter="data")
    folder = tree.parent / archive.name.removesuffix(".tar.gz")
    for name in ("lib", f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"):
        for stale in ("benchsuite/deleted.py", "benchsuite_kernels/_native.stale.so"):
            path = folder / "build" / name / stale
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("raise SystemExit('deleted long ago')")
    return folder


@pytest.fixture(scope="module")
def pure_wheel(unpacked: Path) -> Path:
    return build_wheel(unpacked, unpacked.parent / "pure", **NO_COMPILER)


def test_a_wheel_holds_every_source_and_nothing_else(tree: Path, pure_wheel: Path) -> None:
    with zipfile.ZipFile(pure_wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == set(sources(tree))
    assert {"benchsuite/py.typed", "benchsuite_kernels/csrc/rle.cpp"} <= names


def test_a_wheel_without_a_compiler_is_pure_and_says_so(pure_wheel: Path, tmp_path: Path) -> None:
    assert pure_wheel.name.endswith("-py3-none-any.whl")
    found = describe(install(tmp_path / "venv", pure_wheel), tmp_path / "elsewhere")
    assert set(found["implementations"].values()) == {"reference"}
    assert "not built" in found["why_reference"]
    assert found["generic"] == []


def test_a_wheel_with_a_compiler_brings_the_kernels(compiled_tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("pybind11")
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        pytest.skip("no C++ compiler on the PATH")
    wheel = build_wheel(compiled_tree, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        built = {name for name in archive.namelist() if ".dist-info/" not in name}
    (extension,) = built - set(sources(compiled_tree))
    assert extension.startswith("benchsuite_kernels/_native.")
    found = describe(install(tmp_path / "venv", wheel), tmp_path / "elsewhere")
    assert set(found["implementations"].values()) == {"c++"}
    assert found["why_reference"] is None


def test_an_editable_install_reads_the_tree(tree: Path, tmp_path: Path) -> None:
    call_backend(f"build_editable({str(tmp_path)!r})", tree, **NO_COMPILER)
    (wheel,) = tmp_path.glob("*.whl")
    found = describe(install(tmp_path / "venv", wheel), tmp_path / "elsewhere")
    assert found["origins"] == {
        package: str(tree / place / "__init__.py") for package, place in PACKAGES.items()
    }
    assert found["generic"] == []
