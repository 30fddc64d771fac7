"""Fetching Pascal VOC from a small mirror of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import DatasetRequest, FetchRequest
from benchsuite_plugins.datasets import voc, voc_download
from benchsuite_plugins.datasets.voc_download import fetch

ANNOTATION = b"""<annotation><size><width>6</width><height>4</height></size>
<object><name>cat</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>6</xmax><ymax>4</ymax></bndbox>
</object></annotation>"""


def packed(year: str, lists: dict[str, list[str]]) -> bytes:
    buffer = io.BytesIO()
    base = f"VOCdevkit/VOC{year}"
    files = {f"{base}/SegmentationClass/x.png": b"not wanted"}
    for name, images in lists.items():
        listed = "".join(f"{image}\n" for image in images)
        files[f"{base}/ImageSets/Main/{name}.txt"] = listed.encode()
        for image in images:
            files[f"{base}/Annotations/{image}.xml"] = ANNOTATION
            files[f"{base}/JPEGImages/{image}.jpg"] = b"a photograph"
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of small archives, whose digests are the ones that are expected."""
    folder = tmp_path / "mirror"
    contents = {
        "2007_test": packed("2007", {"test": ["000001", "000002"]}),
        "2007_train": packed("2007", {"train": ["000005"], "trainval": ["000005", "000007"]}),
        "2012_val": packed("2012", {"val": ["2008_000002"]}),
    }
    splits = dict(voc.SPLITS)
    for of, content in contents.items():
        archive = voc.SPLITS[of].archive
        small = dataclasses.replace(
            archive, bytes=len(content), md5=hashlib.md5(content).hexdigest()
        )
        path = folder / archive.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for name, split in voc.SPLITS.items():
            if split.archive == archive:
                splits[name] = dataclasses.replace(split, archive=small)
    for module in (voc, voc_download):
        monkeypatch.setattr(module, "SPLITS", splits)
    monkeypatch.setenv(voc_download.MIRROR_VARIABLE, folder.as_uri())
    return folder


def opened(root: Path, split: str):
    return voc.open_voc(DatasetRequest(split, root=root, cache=root))


def test_a_split_comes_and_can_be_opened(mirror, tmp_path, capsys):
    root = tmp_path / "datasets"
    fetch(FetchRequest(("2007_test",), root, yes=True))
    assert [record.id for record in opened(root, "2007_test").images()] == [1, 2]
    assert sorted(path.name for path in root.iterdir()) == ["VOC2007"]
    assert not (root / "VOC2007" / "SegmentationClass").exists()
    out, err = capsys.readouterr()
    assert out == "" and "VOCtest_06-Nov-2007.tar" in err


def test_archives_of_a_year_share_a_folder(mirror, tmp_path):
    root = tmp_path / "datasets"
    fetch(FetchRequest(("2007_test", "2007_trainval", "2012_val"), root, yes=True))
    for split, count in (
        ("2007_test", 2),
        ("2007_trainval", 2),
        ("2007_train", 1),
        ("2012_val", 1),
    ):
        assert len(opened(root, split).images()) == count


def test_what_is_there_is_not_fetched_again(mirror, tmp_path, monkeypatch, capsys):
    root = tmp_path / "datasets"
    fetch(FetchRequest(("2007_test",), root, yes=True))
    monkeypatch.setenv(voc_download.MIRROR_VARIABLE, (mirror / "gone").as_uri())
    fetch(FetchRequest(("2007_test",), root))
    assert "everything is there" in capsys.readouterr().err
    with pytest.raises(DataMissingError, match="VOCtrainval_06-Nov-2007"):
        fetch(FetchRequest(("2007_val",), root, yes=True))


def test_a_folder_of_the_kit_is_filled_where_it_is(mirror, tmp_path):
    root = tmp_path / "datasets"
    (root / "VOCdevkit" / "VOC2007").mkdir(parents=True)
    fetch(FetchRequest(("2007_test",), root, yes=True))
    assert not (root / "VOC2007").exists()
    assert len(opened(root, "2007_test").images()) == 2


def test_another_file_than_the_published_one_is_refused(mirror, tmp_path):
    file = mirror / "voc2007" / "VOCtest_06-Nov-2007.tar"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="its md5 is"):
        fetch(FetchRequest(("2007_test",), tmp_path / "datasets", yes=True))


def test_nobody_is_asked_where_nobody_is(mirror, tmp_path):
    with pytest.raises(UsageError, match="add --yes"):
        fetch(FetchRequest(("2007_test",), tmp_path / "datasets"))
    with pytest.raises(UsageError, match="did you mean 2007_test"):
        fetch(FetchRequest(("2007_tests",), tmp_path / "datasets", yes=True))
