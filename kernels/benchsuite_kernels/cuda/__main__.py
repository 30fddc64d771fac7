"""``python -m benchsuite_kernels.cuda``: what every kernel costs on every architecture."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchsuite_kernels.cuda.nvrtc import CompileError, nvrtc_problem
from benchsuite_kernels.cuda.offline import ARCHITECTURES, Cost, costs
from benchsuite_kernels.cuda.source import sources


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchsuite_kernels.cuda", description=__doc__)
    parser.add_argument("--arch", action="append", help="such as sm_90; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("source", nargs="*", help="names of sources; all where none is given")
    wanted = parser.parse_args()
    if problem := nvrtc_problem():
        print(problem, file=sys.stderr)
        return 2
    rows: list[Cost] = []
    failed = False
    for source in wanted.source or sources():
        try:
            rows += costs(source, wanted.arch or ARCHITECTURES)
        except CompileError as error:
            print(f"{source} does not compile:\n{error}", file=sys.stderr)
            failed = True
    print_table(rows)
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(failed)


def print_table(rows: list[Cost]) -> None:
    """A line a kernel, dtype and architecture."""
    line = "{:<28} {:<36} {:<9} {:<7} {:>9} {:>7} {:>7} {:>7}".format
    print(line("source", "kernel", "scalar", "arch", "registers", "spilled", "stack", "shared"))
    for r in rows:
        numbers = (r.registers, r.spilled, r.stack, r.shared)
        print(line(r.source, r.kernel, r.scalar, r.architecture, *numbers))


if __name__ == "__main__":
    sys.exit(main())
