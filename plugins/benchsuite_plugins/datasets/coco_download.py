"""Fetching COCO: the official archives, checked and unpacked to the layout that ``coco`` reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchsuite.downloads.archives import extract_member, extract_zip
from benchsuite.downloads.byte_progress import byte_progress
from benchsuite.downloads.download import download
from benchsuite.errors import BenchsuiteError, UsageError, unknown_name
from benchsuite.files.disk_space import free_bytes, readable_size, require_space
from benchsuite.files.durable import remove_folder
from benchsuite.files.exclusive import exclusive
from benchsuite.files.writable import writing_in
from benchsuite.protocols import FetchRequest
from benchsuite_plugins.datasets.coco import FOLDER, IMAGE_COUNTS

PUBLISHER = "http://images.cocodataset.org"
"""Serves no valid certificate; the archives are told from anything else by their digests."""

MIRROR_VARIABLE = "BENCHSUITE_COCO_MIRROR"
"""A URL to take the publisher's place: ``https:``, ``http:``, or ``file:`` for a folder."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that the publisher offers.

    Attributes:
        path: below the publisher's URL.
        bytes: its size.
        sha256: of its bytes, in hexadecimal.
        unpacked: about how many times its size its files take.
    """

    path: str
    bytes: int
    sha256: str
    unpacked: float

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


ARCHIVES = {
    "val2017": Archive(
        "zips/val2017.zip",
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
        unpacked=1.0,
    ),
    "train2017": Archive(
        "zips/train2017.zip",
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
        unpacked=1.0,
    ),
    "val2014": Archive(
        "zips/val2014.zip",
        6_645_013_297,
        "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
        unpacked=1.0,
    ),
    "train2014": Archive(
        "zips/train2014.zip",
        13_510_573_713,
        "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
        unpacked=1.0,
    ),
    "annotations2017": Archive(
        "annotations/annotations_trainval2017.zip",
        252_907_541,
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
        unpacked=3.0,
    ),
    "annotations2014": Archive(
        "annotations/annotations_trainval2014.zip",
        252_872_794,
        "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
        unpacked=3.0,
    ),
    "panoptic2017": Archive(
        "annotations/panoptic_annotations_trainval2017.zip",
        860_725_834,
        "c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
        unpacked=2.5,
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one archive gives to one split.

    Attributes:
        targets: the files and folders that it becomes.
        unpack: makes those that are not there, of the archive at a path.
    """

    archive: Archive
    targets: tuple[Path, ...]
    unpack: Callable[[Path], None]

    @property
    def is_there(self) -> bool:
        return all(target.exists() for target in self.targets)


def fetch(request: FetchRequest) -> None:
    """Bring splits of COCO to ``request.root``; what is there already is left as it is.

    Raises:
        UsageError: no such split, or nobody is there to be asked.
        DataMissingError: an archive cannot be downloaded.
        InputError: an archive is not the one that was published.
        BenchsuiteError: it does not fit on the disk, or is not wanted after all.
    """
    folder = request.root / FOLDER
    splits = request.splits or tuple(IMAGE_COUNTS)
    for split in splits:
        if split not in IMAGE_COUNTS:
            raise unknown_name("split of coco", split, IMAGE_COUNTS)
    wanted = [part for split in splits for part in parts(folder, split) if not part.is_there]
    if not wanted:
        _say(f"{', '.join(splits)}: everything is there, in {folder.absolute()}")
        return
    archives = list(dict.fromkeys(part.archive for part in wanted))
    needed = peak_bytes(archives)
    require_space(folder, needed, f"to fetch and unpack {', '.join(splits)}")
    _ask(folder, archives, needed, request)
    downloads = folder / "downloads"
    with writing_in(downloads), exclusive(downloads, "fetching COCO to"):
        for archive in archives:
            # Another process may have brought some of it while this one waited.
            still = [part for part in wanted if part.archive == archive and not part.is_there]
            if not still:
                continue
            path = _download(archive, downloads, splits)
            for part in still:
                part.unpack(path)
            path.unlink()
        if downloads.is_dir() and not any(downloads.iterdir()):
            remove_folder(downloads)
    _say(f"{', '.join(splits)}: done, in {folder.absolute()}")


def parts(folder: Path, split: str) -> list[Part]:
    """Everything that belongs to a split, the annotations first.

    Args:
        folder: of COCO itself.
    """
    year = split[-4:]
    annotations = folder / "annotations"
    files = [annotations / f"{kind}_{split}.json" for kind in ("instances", "person_keypoints")]

    def unpack_annotations(archive: Path) -> None:
        _unpack_members(archive, files)

    def unpack_images(archive: Path) -> None:
        _unpack_folder(archive, folder / split, IMAGE_COUNTS[split])

    found = [
        Part(ARCHIVES[f"annotations{year}"], tuple(files), unpack_annotations),
        Part(ARCHIVES[split], (folder / split,), unpack_images),
    ]
    if year == "2017":
        file, maps = annotations / f"panoptic_{split}.json", folder / f"panoptic_{split}"

        def unpack_panoptic(archive: Path) -> None:
            # The maps are an archive in the archive.
            inner = archive.with_name(f"{maps.name}.zip")
            _unpack_members(archive, [file])
            extract_member(archive, f"annotations/{inner.name}", inner)
            _unpack_folder(inner, maps, IMAGE_COUNTS[split])
            inner.unlink()

        found.insert(1, Part(ARCHIVES["panoptic2017"], (file, maps), unpack_panoptic))
    return found


def peak_bytes(archives: Iterable[Archive]) -> int:
    """About how much disk fetching takes at most: each archive goes when it is unpacked."""
    kept, peak = 0.0, 0.0
    for archive in archives:
        kept += archive.unpacked * archive.bytes
        peak = max(peak, kept + archive.bytes)
    return int(peak)


def _download(archive: Archive, downloads: Path, splits: Sequence[str]) -> Path:
    base = os.environ.get(MIRROR_VARIABLE) or PUBLISHER
    with byte_progress(archive.name) as report:
        return download(
            f"{base.rstrip('/')}/{archive.path}",
            downloads / archive.name,
            sha256=archive.sha256,
            expected_bytes=archive.bytes,
            progress=report,
            retry="benchsuite data fetch coco" + "".join(f" --split {each}" for each in splits),
        )


def _unpack_members(archive: Path, files: Sequence[Path]) -> None:
    for file in files:
        with byte_progress(f"unpacking {file.name}") as report:
            extract_member(archive, f"annotations/{file.name}", file, progress=report)


def _unpack_folder(archive: Path, folder: Path, count: int) -> None:
    with byte_progress(f"unpacking {archive.name}") as report:
        extract_zip(
            archive, folder, prefix=f"{folder.name}/", expected_files=count, progress=report
        )


def _ask(folder: Path, archives: Sequence[Archive], needed: int, request: FetchRequest) -> None:
    for archive in archives:
        _say(f"  {archive.name:42} {readable_size(archive.bytes):>8}")
    total = sum(archive.bytes for archive in archives)
    _say(
        f"{readable_size(total)} to download to {folder.absolute()}; up to "
        f"{readable_size(needed)} of {readable_size(free_bytes(folder))} free there will be used"
    )
    if request.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked whether to go on; add --yes")
    if not click.confirm("Go on?", default=True, err=True):
        raise BenchsuiteError("nothing was downloaded")


def _say(line: str) -> None:
    click.echo(line, err=True)
