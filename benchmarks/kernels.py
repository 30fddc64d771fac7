"""The CPU kernels against torchvision, on inputs of the size that Mask R-CNN R50-FPN meets.

    python benchmarks/kernels.py --json FILE     one table, ours and theirs interleaved
    pytest benchmarks/kernels.py                 the same cases under pytest-benchmark

The cases are in ``kernel_cases``, a module an operator. Inputs are drawn from a fixed seed, and
every case first compares the two results. ``dispatch`` is what a call costs by itself.
"""

from __future__ import annotations

from kernel_cases import all_cases
from measuring.sides import in_process
from measuring.suite import Suite

SUITE = Suite(__doc__, {name: in_process(make) for name, make in all_cases().items()})

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()
