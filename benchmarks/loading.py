"""Training's loader beside torchvision's reference loader and Detectron2's, on COCO-size images.

    python benchmarks/loading.py --json FILE     one table, all sides taking turns
    pytest benchmarks/loading.py                 the same cases under pytest-benchmark

    PYTHONPATH=/path/to/detectron2 python benchmarks/loading.py --json FILE

Every side reads the same JPEGs and the same annotation file, resizes the shorter side to 800 pixels
(the longer to at most 1333), mirrors half of the images, and hands over batches of two from worker
processes of one thread each, two where ``--threads`` says no other number; seconds are those an
image. Each side has processes of its own,
whose memory counts. Detectron2 need not be built: its loader is Python alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

from loading_cases.dataset import write_dataset
from loading_cases.process import serving
from loading_cases.sides import available_peers
from measuring.sides import Side
from measuring.suite import Suite
from measuring.table import Column

CASES = {"boxes": "boxes", "boxes_and_masks": "masks"}


@cache
def shared_folder() -> tempfile.TemporaryDirectory[str]:
    """The dataset, for as long as this process lives."""
    folder = tempfile.TemporaryDirectory()
    write_dataset(Path(folder.name))
    return folder


@contextmanager
def opened(learnt: str, threads: int) -> Iterator[Mapping[str, Side]]:
    """The loaders; ``threads`` is the number of their worker processes."""
    folder = Path(shared_folder().name)
    with ExitStack() as stack:
        processes = {
            side: stack.enter_context(serving(side, folder, learnt, threads))
            for side in ("ours", *available_peers())
        }
        for process in processes.values():
            process.ask()
        yield {side: process.side("cpu_s", "mib") for side, process in processes.items()}


SUITE = Suite(
    __doc__,
    {name: partial(opened, learnt) for name, learnt in CASES.items()},
    threads=(2,),
    rounds=9,
    columns=(
        Column("our CPU ms", "ours_cpu_s", ".1f", 1e3),
        Column("its CPU ms", "peer_cpu_s", ".1f", 1e3),
        Column("ours MiB", "ours_mib", ".0f"),
        Column("its MiB", "peer_mib", ".0f"),
    ),
    peers=2,
    calls=3,
)

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()
