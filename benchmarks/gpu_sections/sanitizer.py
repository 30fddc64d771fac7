"""The kernels on small inputs under NVIDIA's compute-sanitizer, where that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gpu_sections.report import Column, Table
from gpu_sections.running import Context

TOOLS = ("memcheck", "racecheck")
PLACES = ("/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer", "/opt/cuda/bin")
SUMMARY = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (.*)")


def find() -> Path | None:
    """The program, on the path or where CUDA's toolkit puts it."""
    found = shutil.which("compute-sanitizer")
    if found:
        return Path(found)
    return next(
        (p for p in (Path(place, "compute-sanitizer") for place in PLACES) if p.is_file()), None
    )


def run(context: Context) -> Iterator[Table | str]:
    program = find()
    if program is None:
        yield "left out: compute-sanitizer is not installed here"
        return
    table = Table(
        "compute-sanitizer",
        (Column("tool", "tool"), Column("result", "result"), Column("seconds", "s", ".0f")),
    )
    yield table
    script = context.repository / "benchmarks" / "gpu.py"
    check = [sys.executable, str(script), "--only", "correctness", "--small"]
    failed = []
    for tool in TOOLS:
        left = context.until - time.monotonic()
        if left <= 0:
            yield f"left out for lack of time: {tool}"
            continue
        start = time.monotonic()
        try:
            done = subprocess.run(
                [str(program), "--tool", tool, "--error-exitcode", "9", *check],
                capture_output=True,
                text=True,
                timeout=left if left != float("inf") else None,
            )
        except subprocess.TimeoutExpired:
            table.add(tool=tool, result="stopped for lack of time", seconds=left)
            continue
        table.add(tool=tool, result=summary(done.stdout), seconds=time.monotonic() - start)
        if done.returncode:
            failed.append(f"{tool} exits with {done.returncode}:\n{done.stdout[-3000:]}")
    if failed:
        raise RuntimeError("\n".join(failed))


def summary(text: str) -> str:
    """What the tool says in the end."""
    found = SUMMARY.findall(text)
    return found[-1].strip() if found else "it said nothing"
