"""``python -m benchsuite_plugins.datasets.shapes``: write the dataset, or print its hashes."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from benchsuite.errors import BenchsuiteError
from benchsuite.progress import progress
from benchsuite_plugins.datasets.shapes.options import DEFAULT_COUNTS, ShapesOptions
from benchsuite_plugins.datasets.shapes.split import Hashes, split_hashes, write_split


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchsuite_plugins.datasets.shapes",
        description="Write the embedded dataset as COCO files, or print the hashes of its content.",
    )
    parser.add_argument("out", nargs="?", type=Path, help="folder to write the splits into")
    parser.add_argument(
        "--split", choices=DEFAULT_COUNTS, help="only this split (default: every one)"
    )
    parser.add_argument("--count", type=int, help="images in a split (default: 300 val, 600 train)")
    parser.add_argument("--size", type=int, default=192, help="nominal size in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--hashes", action="store_true", help="print hashes, one a line; without OUT, write nothing"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.out is None and not given.hashes:
        parser.error("give a folder to write to, or --hashes")
    try:
        options = ShapesOptions(given.count, given.size, given.seed)
        for split in (given.split,) if given.split else DEFAULT_COUNTS:
            if given.out is None:
                hashes = split_hashes(options, split)
            else:
                hashes = _write(given.out / split, options, split)
            if given.hashes:
                for name, digest in asdict(hashes).items():
                    print(f"{split} {name} {digest}")
    except BenchsuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _write(folder: Path, options: ShapesOptions, split: str) -> Hashes:
    """Write a split where nothing is yet; a half-written one is removed again."""
    if folder.exists():
        raise BenchsuiteError(f"{folder} is there already; name another folder, or remove it")
    try:
        with progress(f"drawing shapes/{split}", options.images_in(split)) as shown:
            return write_split(folder, options, split, shown.advance)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise BenchsuiteError(f"{folder} cannot be written: {error}") from error
        raise


if __name__ == "__main__":
    sys.exit(main())
