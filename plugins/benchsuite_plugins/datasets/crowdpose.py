"""CrowdPose, in the layout that it is handed out in::

    crowdpose/json/crowdpose_{val,test,train,trainval}.json
    crowdpose/images/*.jpg

or one of those files alone (``--dataset crowdpose_val.json --images DIR``).

Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation and a New Benchmark, 2019. An image's
``crowdIndex`` says how much its people overlap. Annotations have no area; it is a share of the box.
"""

from __future__ import annotations

from benchsuite.errors import DataMissingError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite_plugins.datasets.coco_format import CocoFormatDataset
from benchsuite_plugins.datasets.crowdpose_keypoints import BOX_SHARE, KEYPOINTS

FOLDER = "crowdpose"
"""Below the folder that datasets lie in."""


def open_crowdpose(request: DatasetRequest) -> Dataset:
    """The split that the request names; without its images where their folder is not there.

    Raises:
        DataMissingError: the annotation file is not there.
    """
    folder = request.root / FOLDER
    file = request.annotations or folder / "json" / f"crowdpose_{request.split}.json"
    if not file.is_file():
        raise DataMissingError(
            f"the annotation file {file.absolute()} of CrowdPose is not there. Get it from "
            "https://github.com/Jeff-sjtu/CrowdPose and put it there ($BENCHSUITE_DATASETS names "
            f"the folder above {FOLDER}/)"
        )
    images = request.images
    if images is None and request.annotations is None and (folder / "images").is_dir():
        images = folder / "images"
    return CocoFormatDataset(
        file,
        images,
        keypoints=KEYPOINTS,
        box_share=BOX_SHARE,
    )
