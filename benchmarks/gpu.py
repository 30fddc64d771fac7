"""One GPU run: ceilings, build, correctness, sanitizer, operators, whole detectors; 8 minutes.

    python benchmarks/gpu.py --json FILE --markdown FILE
    python benchmarks/gpu.py --only operators --only end_to_end
    python benchmarks/gpu.py --rehearse        everything small on the CPU: no figure means anything

It needs torch, torchvision and CuPy of torch's CUDA, and no network; what else is missing is named
and left out. Each section has its time and survives the failure of another. Exits with 4 where
there is no GPU to measure, with 1 where a section failed, and with 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent
sys.path[:0] = [str(FOLDER), *(str(REPOSITORY / n) for n in (".", "kernels", "plugins", "zoo"))]

SECONDS = 460.0
NO_GPU, FAILED = 4, 1


def missing_requirements() -> list[str]:
    """What the run cannot do without, and is not here."""
    absent = []
    for package in ("torch", "torchvision", "numpy"):
        try:
            version(package)
        except PackageNotFoundError:
            absent.append(f"{package} is not installed")
    if absent:
        return absent
    from benchsuite_kernels.cuda.availability import cuda_problem

    problem = cuda_problem()
    return [problem] if problem else []


def machine(device: Any, absent: Sequence[str]) -> dict[str, Any]:
    """What figures depend on."""
    packages = ("torch", "torchvision", "cupy-cuda12x", "cupy-cuda13x", "triton", "numpy")
    found: dict[str, Any] = {"date": str(date.today()), "device": device.name()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["python"] = platform.python_version()
    found["cores"] = os.cpu_count()
    found["not installed, done without"] = ", ".join(absent) or "nothing"
    return found


def sections() -> list[Any]:
    from gpu_sections import build, ceilings, correctness, end_to_end, sanitizer, timing
    from gpu_sections.running import Section

    return [
        Section("ceilings", 20, ceilings.run),
        Section("build", 60, build.run),
        Section("correctness", 90, correctness.run),
        Section("sanitizer", 60, sanitizer.run),
        Section("operators", 120, timing.run),
        Section("end_to_end", 200, end_to_end.run),
    ]


NAMES = ("ceilings", "build", "correctness", "sanitizer", "operators", "end_to_end")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--only", action="append", choices=NAMES, help="sections (repeat)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for everything together")
    parser.add_argument("--small", action="store_true", help="inputs of which no figure tells")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, kernels emulated")
    parser.add_argument("--list", action="store_true", help="name the sections and stop")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(NAMES))
        return 0
    problems = [] if options.rehearse else missing_requirements()
    if problems:
        print(f"no GPU run: {'; '.join(problems)}", file=sys.stderr)
        return NO_GPU
    if options.rehearse:
        os.environ["BENCHSUITE_KERNELS"] = "emulated"

    from gpu_sections.imports import allow_missing

    absent = allow_missing(REPOSITORY)

    from gpu_sections.devices import CudaDevice, HostDevice
    from gpu_sections.report import Outcome, report_json, report_markdown
    from gpu_sections.running import Context, run_sections

    device = HostDevice() if options.rehearse else CudaDevice()
    context = Context(device, REPOSITORY, small=options.small or options.rehearse)
    about = machine(device, absent)

    def show(outcome: Outcome) -> None:
        print(outcome.markdown(), end="\n\n", flush=True)

    print("\n".join(f"{name}: {value}" for name, value in about.items()), end="\n\n", flush=True)
    chosen = [each for each in sections() if not options.only or each.name in options.only]
    outcomes = run_sections(chosen, context, options.seconds, show)
    if options.json:
        text = json.dumps(report_json(about, outcomes), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report_markdown(about, outcomes), encoding="utf-8")
    return FAILED if any(outcome.status == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
