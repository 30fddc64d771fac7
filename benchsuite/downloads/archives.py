"""ZIP archives, taken apart without trusting them, and whole or not at all.

A folder grows in ``<folder>.partial`` and is renamed when everything is in it; what an interrupted
extraction left there is checked and kept.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from benchsuite.downloads.byte_progress import Report
from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.files.disk_space import readable_size, require_space
from benchsuite.files.durable import FULL, make_folder, rename, sync_file, sync_folder
from benchsuite.files.exclusive import exclusive

MAX_BYTES = 64 << 30
"""What an archive may unpack to, unless the caller knows better."""

MAX_MEMBERS = 1_000_000
MAX_RATIO = 200
"""How many times its own size an archive may unpack to. Annotation files reach 6; a bomb 1000."""

_CHUNK = 1 << 20
_SLACK = 1 << 20


def extract_zip(
    archive: Path,
    folder: Path,
    *,
    prefix: str = "",
    expected_files: int | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Report | None = None,
) -> Path:
    """Unpack an archive, or one folder of it, to ``folder``; nothing if that is there already.

    Args:
        prefix: the archive's folder to unpack (``"val2017/"``); its name is left away.
        expected_files: how many files that must be.
        max_bytes: refuse an archive that unpacks to more.
        progress: is told how far it is.

    Returns:
        ``folder``.

    Raises:
        InputError: the archive is damaged, does not hold what is expected, or must not be
            unpacked: a name that leads out of the folder, a link, encryption, too many bytes.
        BenchsuiteError: it does not fit on the disk.
    """
    with _opened(archive) as opened:
        members = [
            (info, info.filename.removeprefix(prefix))
            for info in _checked_members(archive, opened, max_bytes)
            if info.filename.startswith(prefix) and not _is_clutter(info)
        ]
        if expected_files is not None and len(members) != expected_files:
            raise InputError(
                f"holds {len(members)} files under {prefix or '/'}, expected {expected_files}",
                file=archive,
                remedy="Remove it and fetch it again",
            )
        make_folder(folder.parent)
        with exclusive(folder, "unpacking"):
            if not folder.exists():
                staging = folder.with_name(folder.name + ".partial")
                _unpack(opened, members, staging, progress or _silent)
                _sync_everything()
                rename(staging, folder)
                sync_folder(folder.parent)
    return folder


def extract_member(
    archive: Path,
    member: str,
    target: Path,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Report | None = None,
) -> Path:
    """Unpack one file of an archive to ``target``; nothing if that is there already.

    Raises:
        InputError: as ``extract_zip``, or the archive has no such member.
        BenchsuiteError: it does not fit on the disk.
    """
    with _opened(archive) as opened:
        by_name = {info.filename: info for info in _checked_members(archive, opened, max_bytes)}
        if member not in by_name:
            raise InputError(f"holds no {member}", file=archive)
        make_folder(target.parent)
        with exclusive(target, "unpacking"):
            if not target.exists():
                staging = target.with_name(target.name + ".partial")
                _unpack(opened, [(by_name[member], "")], staging, progress or _silent)
                sync_file(staging)
                rename(staging, target)
                sync_folder(target.parent)
    return target


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(
            f"the archive is damaged or of a kind that is not read: {error}",
            file=archive,
            remedy="Remove it and fetch it again",
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise BenchsuiteError(
                f"the disk is full; what was unpacked of {archive} is kept. Make room and run the "
                "same command again"
            ) from error
        raise


def _checked_members(
    archive: Path, opened: zipfile.ZipFile, max_bytes: int
) -> Sequence[zipfile.ZipInfo]:
    """The archive's files, once nothing in the whole archive speaks against unpacking them."""
    members = opened.infolist()
    if len(members) > MAX_MEMBERS:
        raise InputError(f"holds {len(members)} files, more than {MAX_MEMBERS}", file=archive)
    total = sum(info.file_size for info in members)
    limit = min(max_bytes, MAX_RATIO * archive.stat().st_size + _SLACK)
    if total > limit:
        raise InputError(
            f"unpacks to {readable_size(total)}, which is more than the {readable_size(limit)} "
            "that an archive of its kind may",
            file=archive,
        )
    files = {info.filename for info in members if not info.is_dir()}
    seen = set()
    for info in members:
        problem = _problem(info)
        if not files.isdisjoint(map(str, PurePosixPath(info.filename).parents)):
            problem = "lies in a file"
        if problem is None and info.filename in seen:
            problem = "is there twice"
        if problem is not None:
            raise InputError(
                f"{problem}; nothing was unpacked", file=archive, record=repr(info.filename)
            )
        seen.add(info.filename)
    return [info for info in members if not info.is_dir()]


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Why a member must not be unpacked."""
    posix, windows = PurePosixPath(info.filename), PureWindowsPath(info.filename)
    if posix.is_absolute() or windows.anchor or {".."} & {*posix.parts, *windows.parts}:
        return "leads out of the folder"
    if not posix.parts or "\\" in info.filename:
        return "is not a usable name"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    return "is encrypted" if info.flag_bits & 1 else None


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Whether a member is what macOS puts beside the files that one packs."""
    path = PurePosixPath(info.filename)
    return "__MACOSX" in path.parts or path.name == ".DS_Store" or path.name.startswith("._")


def _unpack(
    opened: zipfile.ZipFile,
    members: Sequence[tuple[zipfile.ZipInfo, str]],
    staging: Path,
    progress: Report,
) -> None:
    """Unpack each member to its name below ``staging``, but for those that are there."""
    total = sum(info.file_size for info, _ in members)
    missing = [
        (info, staging / name) for info, name in members if not _is_there(staging / name, info)
    ]
    needed = sum(info.file_size for info, _ in missing)
    require_space(staging.parent, needed, f"to unpack {opened.filename}")
    done = total - needed
    progress(done, total)
    for info, path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        with opened.open(info) as read, unfinished.open("wb") as written:
            while chunk := read.read(_CHUNK):
                written.write(chunk)
                done += len(chunk)
                progress(done, total)
        unfinished.replace(path)


def _is_there(path: Path, info: zipfile.ZipInfo) -> bool:
    """Whether an earlier extraction left this member, with the bytes the archive says it has."""
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC


def _sync_everything() -> None:
    # One call for a hundred thousand files: to sync each of them takes longer than to write them.
    if hasattr(os, "sync"):
        os.sync()


def _silent(done: int, total: int | None) -> None:
    pass
