"""Fetching Pascal VOC: the official archives, checked and unpacked to what ``voc`` reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from benchsuite.downloads.byte_progress import byte_progress
from benchsuite.downloads.download import download
from benchsuite.downloads.tar_archives import extract_tar
from benchsuite.errors import BenchsuiteError, UsageError, unknown_name
from benchsuite.files.disk_space import free_bytes, readable_size, require_space
from benchsuite.files.durable import remove_folder
from benchsuite.files.exclusive import exclusive
from benchsuite.files.writable import writing_in
from benchsuite.protocols import FetchRequest
from benchsuite_plugins.datasets.voc import KIT, PUBLISHER, SPLITS, Archive, layout
from benchsuite_plugins.formats.recognition import VOC_ANNOTATIONS
from benchsuite_plugins.formats.voc_folder import IMAGES

MIRROR_VARIABLE = "BENCHSUITE_VOC_MIRROR"
"""A URL to take the publisher's place: ``https:``, ``http:``, or ``file:`` for a folder."""


def fetch(request: FetchRequest) -> None:
    """Bring splits of Pascal VOC to ``request.root``; what is there already is left as it is.

    Raises:
        UsageError: no such split, or nobody is there to be asked.
        DataMissingError: an archive cannot be downloaded.
        InputError: an archive is not the one that was published.
        BenchsuiteError: it does not fit on the disk, or is not wanted after all.
    """
    splits = request.splits or tuple(SPLITS)
    for split in splits:
        if split not in SPLITS:
            raise unknown_name("split of voc", split, SPLITS)
    wanted = [split for split in splits if not _is_there(request.root, split)]
    if not wanted:
        _say(f"{', '.join(splits)}: everything is there, in {request.root.absolute()}")
        return
    archives = list(dict.fromkeys(SPLITS[split].archive for split in wanted))
    # An archive goes when it is unpacked, and what is unpacked is less than it.
    needed = sum(archive.bytes for archive in archives) + max(each.bytes for each in archives)
    require_space(request.root, needed, f"to fetch and unpack {', '.join(wanted)}")
    _ask(request, archives, needed)
    downloads = request.root / "voc_downloads"
    with writing_in(downloads), exclusive(downloads, "fetching Pascal VOC to"):
        for archive in archives:
            # Another process may have brought it while this one waited.
            if all(_is_there(request.root, each) for each in wanted if _holds(archive, each)):
                continue
            path = _download(archive, downloads, splits)
            _unpack(path, archive, request.root)
            path.unlink()
        if downloads.is_dir() and not any(downloads.iterdir()):
            remove_folder(downloads)
    _say(f"{', '.join(splits)}: done, in {request.root.absolute()}")


def _holds(archive: Archive, split: str) -> bool:
    return SPLITS[split].archive == archive


def _is_there(root: Path, split: str) -> bool:
    """Lists of images are unpacked last: where one is, all is."""
    year, _, name = split.partition("_")
    folder = layout(root, year)
    return (folder / "ImageSets" / "Main" / f"{name}.txt").is_file() and (folder / IMAGES).is_dir()


def _download(archive: Archive, downloads: Path, splits: tuple[str, ...]) -> Path:
    base = os.environ.get(MIRROR_VARIABLE) or PUBLISHER
    with byte_progress(archive.name) as report:
        return download(
            f"{base.rstrip('/')}/{archive.path}",
            downloads / archive.name,
            md5=archive.md5,
            expected_bytes=archive.bytes,
            progress=report,
            retry="benchsuite data fetch voc" + "".join(f" --split {each}" for each in splits),
        )


def _unpack(path: Path, archive: Archive, root: Path) -> None:
    folder = layout(root, archive.year)
    prefix = f"{KIT}/VOC{archive.year}/"
    for below in ((f"{VOC_ANNOTATIONS}/", f"{IMAGES}/"), ("ImageSets/Main/",)):
        with byte_progress(f"unpacking {archive.name}") as report:
            extract_tar(path, folder, prefix=prefix, below=below, progress=report)


def _ask(request: FetchRequest, archives: list[Archive], needed: int) -> None:
    for archive in archives:
        _say(f"  {archive.name:42} {readable_size(archive.bytes):>8}")
    total = sum(archive.bytes for archive in archives)
    _say(
        f"{readable_size(total)} to download to {request.root.absolute()}; up to "
        f"{readable_size(needed)} of {readable_size(free_bytes(request.root))} free there will be "
        "used"
    )
    if request.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked whether to go on; add --yes")
    if not click.confirm("Go on?", default=True, err=True):
        raise BenchsuiteError("nothing was downloaded")


def _say(line: str) -> None:
    click.echo(line, err=True)
