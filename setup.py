"""Builds the C++ kernels where there is a compiler, and installs without them where there is none.

Everything else about the distribution is in ``pyproject.toml``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

SOURCES = Path("kernels/benchsuite_kernels/csrc")
SHARED = Path("kernels/benchsuite_kernels/cuda/sources")

# Contraction to fused multiply-adds is off so that results are the same on every processor.
FLAGS = {
    "msvc": ["/std:c++17", "/O2", "/fp:precise", "/EHsc", "/bigobj"],
    "unix": ["-std=c++17", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-pthread", "-g0"],
}


def extensions() -> list[Extension]:
    try:
        import pybind11
    except ModuleNotFoundError:  # installing without build isolation
        print("pybind11 is not installed: the C++ kernels are not built", file=sys.stderr)
        return []
    return [
        Extension(
            "benchsuite_kernels._native",
            sources=sorted(path.as_posix() for path in SOURCES.glob("*.cpp")),
            depends=sorted(
                path.as_posix() for path in [*SOURCES.glob("*.hpp"), *SHARED.glob("*.cuh")]
            ),
            include_dirs=[pybind11.get_include()],
            language="c++",
            optional=True,
        )
    ]


class BuildPython(build_py):
    """Starts from an empty build folder: what was deleted from the sources must not be shipped."""

    def run(self) -> None:
        if not self.editable_mode:
            for package in {name.partition(".")[0] for name in self.packages or ()}:
                shutil.rmtree(Path(self.build_lib) / package, ignore_errors=True)
        super().run()


class BuildExtension(build_ext):
    """Adds the flags of the compiler at hand; compiles what has changed since it was compiled."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # Headers of another version are no newer than the objects that were compiled with others.
        if self.extensions:
            import pybind11

            self.build_temp = f"{self.build_temp}-pybind11-{pybind11.__version__}"

    def build_extension(self, ext: Extension) -> None:
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        ext.extra_compile_args = FLAGS[kind]
        ext.extra_link_args = [] if kind == "msvc" else ["-pthread"]
        newest = max(Path(path).stat().st_mtime for path in [*ext.depends, __file__])

        def outdated(target: str, source: str) -> bool:
            compiled = Path(target)
            used = max(newest, Path(source).stat().st_mtime)
            return not compiled.is_file() or compiled.stat().st_mtime <= used

        # The compiler is started once a file; one after the other they take minutes.
        from pybind11.setup_helpers import ParallelCompile

        with ParallelCompile("BENCHSUITE_BUILD_JOBS", default=0, needs_recompile=outdated):
            super().build_extension(ext)


class BuildWheel(bdist_wheel):
    """Marks a wheel without the extension as fit for every platform, which it is."""

    def run(self) -> None:
        self.run_command("build")
        built = Path(self.get_finalized_command("build").build_lib)
        if not any(built.glob("benchsuite_kernels/_native*")):
            self.distribution.ext_modules = []
            self.root_is_pure = True
        super().run()


setup(
    ext_modules=extensions(),
    cmdclass={"build_py": BuildPython, "build_ext": BuildExtension, "bdist_wheel": BuildWheel},
)
