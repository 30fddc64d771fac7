"""Fetching COCO from a small mirror of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import BenchsuiteError, DataMissingError, InputError, UsageError
from benchsuite.protocols import FetchRequest
from benchsuite_plugins.datasets import coco_download as module
from benchsuite_plugins.datasets.coco_download import ARCHIVES, Archive, fetch, peak_bytes

COUNTS = {"val2017": 3, "train2017": 2, "val2014": 1, "train2014": 1}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archives_of(year: str) -> dict[str, bytes]:
    """Key to content of everything the publisher offers for a year."""
    splits = [split for split in COUNTS if split.endswith(year)]
    annotations = {
        f"annotations/{kind}_{split}.json": f"{kind} {split}".encode()
        for kind in ("instances", "person_keypoints", "captions")
        for split in splits
    }
    found = {f"annotations{year}": packed(annotations)}
    panoptic = {}
    for split in splits:
        names = [f"{number:012}" for number in range(COUNTS[split])]
        found[split] = packed({f"{split}/{name}.jpg": name.encode() for name in names})
        maps = {f"panoptic_{split}/{name}.png": name.encode() for name in names}
        clutter = {f"__MACOSX/panoptic_{split}/._x.png": b""}
        panoptic[f"annotations/panoptic_{split}.json"] = b"panoptic"
        panoptic[f"annotations/panoptic_{split}.zip"] = packed({**maps, **clutter})
    if year == "2017":
        found["panoptic2017"] = packed(panoptic)
    return found


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of small archives, whose digests are the ones that are expected."""
    folder = tmp_path / "mirror"
    small: dict[str, Archive] = {}
    for key, content in {**archives_of("2017"), **archives_of("2014")}.items():
        path = folder / ARCHIVES[key].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        small[key] = dataclasses.replace(
            ARCHIVES[key], bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
    monkeypatch.setattr(module, "ARCHIVES", small)
    monkeypatch.setattr(module, "IMAGE_COUNTS", COUNTS)
    monkeypatch.setenv(module.MIRROR_VARIABLE, folder.as_uri())
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


def files(root: Path) -> list[str]:
    coco = root / "coco"
    return sorted(str(path.relative_to(coco)) for path in coco.rglob("*") if path.is_file())


VAL2017 = [
    "annotations/instances_val2017.json",
    "annotations/panoptic_val2017.json",
    "annotations/person_keypoints_val2017.json",
    *(f"panoptic_val2017/{number:012}.png" for number in range(3)),
    *(f"val2017/{number:012}.jpg" for number in range(3)),
]


def test_a_split_comes_whole_and_nothing_else_stays(
    mirror: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(FetchRequest(("val2017",), root, yes=True))
    assert files(root) == VAL2017
    assert (root / "coco" / "val2017" / "000000000002.jpg").read_bytes() == b"000000000002"
    assert not (root / "coco" / "downloads").exists()
    out, err = capsys.readouterr()
    assert out == ""
    assert "val2017.zip" in err and "will be used" in err


def test_all_splits_are_meant_where_none_is_named(mirror: Path, root: Path) -> None:
    fetch(FetchRequest((), root, yes=True))
    folders = sorted(path.name for path in (root / "coco").iterdir())
    assert folders == sorted(["annotations", "panoptic_train2017", "panoptic_val2017", *COUNTS])


def test_what_is_there_is_not_fetched_again(
    mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(FetchRequest(("val2017",), root, yes=True))
    monkeypatch.setenv(module.MIRROR_VARIABLE, (mirror / "gone").as_uri())
    fetch(FetchRequest(("val2017",), root))
    assert "everything is there" in capsys.readouterr().err
    (root / "coco" / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(DataMissingError, match="annotations_trainval2017"):
        fetch(FetchRequest(("val2017",), root, yes=True))


def test_two_at_once_fetch_once(mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Barrier(2)
    downloaded: list[str] = []
    real = module._download

    def counting(archive: Archive, *rest: Any) -> Path:
        downloaded.append(archive.name)
        return real(archive, *rest)

    def together() -> None:
        fetch(FetchRequest(("val2017",), root, yes=True))

    # Both have seen that everything is missing before either begins.
    monkeypatch.setattr(module, "_ask", lambda *ignored: started.wait(timeout=30))
    monkeypatch.setattr(module, "_download", counting)
    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(together) for _ in range(2)]:
            done.result(timeout=60)
    assert files(root) == VAL2017
    assert sorted(downloaded) == sorted(set(downloaded))


def test_a_linked_image_folder_counts_as_there(mirror: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "coco").mkdir(parents=True)
    (root / "coco" / "val2017").symlink_to(tmp_path / "elsewhere")
    fetch(FetchRequest(("val2017",), root, yes=True))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_changed_archive_is_refused(mirror: Path, root: Path) -> None:
    path = mirror / "zips" / "val2017.zip"
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="not the expected file"):
        fetch(FetchRequest(("val2017",), root, yes=True))
    assert not (root / "coco" / "val2017").exists()
    assert (root / "coco" / "downloads" / "val2017.zip.rejected").is_file()


def test_an_archive_with_images_missing_is_refused(
    mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IMAGE_COUNTS", {**COUNTS, "val2017": 5000})
    with pytest.raises(InputError, match=r"holds 3 files under .*val2017/, expected 5000"):
        fetch(FetchRequest(("val2017",), root, yes=True))
    assert not (root / "coco" / "val2017").exists()


def test_an_archive_that_was_put_there_by_hand_is_taken(
    mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = root / "coco" / "downloads"
    downloads.mkdir(parents=True)
    for path in mirror.rglob("*2017.zip"):
        path.rename(downloads / path.name)
    fetch(FetchRequest(("val2017",), root, yes=True))
    assert [name for name in files(root) if not name.startswith("downloads/")] == VAL2017


def test_space_is_asked_for_before(
    mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchsuite.files.disk_space.free_bytes", lambda folder: 100)
    with pytest.raises(BenchsuiteError, match="are needed to fetch and unpack val2017"):
        fetch(FetchRequest(("val2017",), root, yes=True))
    assert not root.exists()


def test_nothing_is_downloaded_unasked(
    mirror: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UsageError, match="--yes"):
        fetch(FetchRequest(("val2017",), root))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *args, **options: False)
    with pytest.raises(BenchsuiteError, match="nothing was downloaded"):
        fetch(FetchRequest(("val2017",), root))
    assert not root.exists()


def test_an_unknown_split(root: Path) -> None:
    with pytest.raises(UsageError, match="did you mean val2017"):
        fetch(FetchRequest(("val2107",), root, yes=True))


def test_an_unwritable_place(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchsuiteError, match="cannot write in"):
        fetch(FetchRequest(("val2017",), tmp_path / "file", yes=True))


def test_each_archive_goes_before_the_next_comes() -> None:
    archives = [Archive("a", 100, "", 1.0), Archive("b", 10, "", 3.0)]
    assert peak_bytes(archives) == 200
    assert peak_bytes(reversed(archives)) == 230


def test_what_is_expected_of_the_publisher() -> None:
    assert {archive.path for archive in ARCHIVES.values()} == {
        "zips/val2017.zip",
        "zips/train2017.zip",
        "zips/val2014.zip",
        "zips/train2014.zip",
        "annotations/annotations_trainval2017.zip",
        "annotations/annotations_trainval2014.zip",
        "annotations/panoptic_annotations_trainval2017.zip",
    }
    assert all(len(bytes.fromhex(archive.sha256)) == 32 for archive in ARCHIVES.values())
