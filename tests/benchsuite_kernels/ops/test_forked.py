"""Kernels in a forked child: data loaders and test runners fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchsuite_kernels.dispatch import native

SCRIPT = """
import os, torch
from benchsuite_kernels import ops, served
torch.set_num_threads(2)
boxes = torch.rand(12000, 4).cumsum(1) * 100
groups = torch.arange(12000) % 40
scores = torch.rand(12000)
before = ops.batched_nms(boxes, scores, groups, 0.5)
assert served() == {"batched_nms": "c++"}
child = os.fork()
same = torch.equal(ops.batched_nms(boxes, scores, groups, 0.5), before)
if child == 0:
    os._exit(0 if same else 1)
assert same and os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_threads_of_the_parent_do_not_hang_a_child() -> None:
    if native() is None:
        pytest.skip("the extension is not built")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, timeout=60)
