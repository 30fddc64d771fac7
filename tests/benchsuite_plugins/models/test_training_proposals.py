"""A file of proposals as training reads it: what inference reads, image by image."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from benchsuite.errors import InputError
from benchsuite.records import ImageRecord
from benchsuite_plugins.models.proposal_file import read_proposal_file, read_training_proposals


@pytest.fixture
def path(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {}
    for name, count in (("7", 3), ("street.png", 5), ("9", 0)):
        arrays[f"{name}/boxes"] = generator.random((count, 4)).astype(np.float32)
        arrays[f"{name}/objectness_logits"] = generator.random(count).astype(np.float32)
    np.savez(tmp_path / "proposals.npz", **arrays)
    return tmp_path / "proposals.npz"


def test_images_have_the_boxes_that_inference_reads(path):
    training, inference = read_training_proposals(path), read_proposal_file(path)
    training = pickle.loads(pickle.dumps(training))
    for record in (
        ImageRecord(7, "any.png", 10, 10),
        ImageRecord(8, "street.png", 10, 10),
        ImageRecord(9, "any.png", 10, 10),
    ):
        np.testing.assert_array_equal(training(record), inference.of(record).boxes)


def test_an_image_that_it_does_not_have(path):
    with pytest.raises(InputError, match=r"image 1 \(x\.png\): has no entry .* 3 others"):
        read_training_proposals(path)(ImageRecord(1, "x.png", 10, 10))


def test_arrays_are_few_however_many_images(path):
    buffers: list[pickle.PickleBuffer] = []
    pickle.dumps(read_training_proposals(path), protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == 2
