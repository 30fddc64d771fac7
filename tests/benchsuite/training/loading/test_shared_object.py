"""Objects through shared memory: the same at the other end, and shared where they can be."""

from __future__ import annotations

import os
from multiprocessing import Pipe

import numpy as np
import pytest

from benchsuite.training.loading import shared_object
from benchsuite.training.loading.shared_object import SharedObject, receive

VALUE = {
    "large": np.arange(100_000, dtype=np.int64).reshape(100, -1),
    "odd": np.arange(13, dtype=np.uint8),
    "empty": np.zeros((0, 4), np.float32),
    "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "every second": np.arange(10)[::2],
    "text": "ä",
    "bytes": b"123",
}


@pytest.fixture(params=["memory", "pipe"])
def way(request, monkeypatch):
    if request.param == "memory" and not hasattr(os, "memfd_create"):
        pytest.skip("the system has no anonymous files in memory")
    monkeypatch.setattr(shared_object, "_SUPPORTED", request.param == "memory")
    return request.param


def sent(value, *, writable, times=1):
    ours, theirs = Pipe()
    with ours, theirs, SharedObject.of(value) as shared:
        found = []
        for _ in range(times):
            shared.send(ours, os.getpid())
            found.append(receive(theirs, writable=writable))
        return found


def small(value):
    """Without what would fill the pipe, which nobody empties meanwhile."""
    return {**value, "large": value["large"][:3]}


@pytest.mark.parametrize("writable", [True, False])
def test_it_arrives_as_it_was(way, writable):
    value = VALUE if way == "memory" else small(VALUE)
    (found,) = sent(value, writable=writable)
    assert found.keys() == value.keys()
    for name, expected in value.items():
        if not isinstance(expected, np.ndarray):
            assert found[name] == expected
            continue
        assert found[name].dtype == expected.dtype and found[name].shape == expected.shape
        assert (found[name] == expected).all()
    assert found["large"].flags.writeable == writable


def test_an_object_without_arrays_needs_no_file(way):
    assert sent({"a": [1, None, "x"]}, writable=True) == [{"a": [1, None, "x"]}]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")
def test_receivers_share_the_memory():
    first, second = sent(np.zeros(1000), writable=True, times=2)
    first[7] = 5
    assert second[7] == 5


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")
def test_nothing_is_left_open():
    def open_files():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = open_files()
    found = sent(np.zeros(1000), writable=True, times=3)
    assert open_files() > before  # the memory is there as long as the arrays are
    del found
    assert open_files() == before
