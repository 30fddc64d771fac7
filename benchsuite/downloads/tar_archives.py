"""Uncompressed TAR archives, taken apart without trusting them.

Files go where they belong one by one, each whole or not at all, so that several archives can fill
one folder; what an interrupted extraction left there is kept.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from benchsuite.downloads.byte_progress import Report
from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.files.disk_space import require_space
from benchsuite.files.durable import FULL, make_folder, sync_folder
from benchsuite.files.exclusive import exclusive

MAX_MEMBERS = 1_000_000

_CHUNK = 1 << 20


def extract_tar(
    archive: Path,
    folder: Path,
    *,
    prefix: str,
    below: Sequence[str],
    expected_files: int | None = None,
    progress: Report | None = None,
) -> Path:
    """Unpack some folders of an archive into ``folder``; files that are there are left as they are.

    Args:
        prefix: the archive's folder that stands for ``folder`` (``"VOCdevkit/VOC2007/"``).
        below: folders below it that are wanted (``"Annotations/"``).
        expected_files: how many files that must be.
        progress: is told how far it is, in bytes.

    Returns:
        ``folder``.

    Raises:
        InputError: the archive is damaged or compressed, does not hold what is expected, or must
            not be unpacked: a name that leads out of the folder, a link, a device.
        BenchsuiteError: it does not fit on the disk.
    """
    wanted = tuple(f"{prefix}{each}" for each in below)
    try:
        with tarfile.open(archive, "r:") as opened:
            members = [each for each in _files(archive, opened) if each.name.startswith(wanted)]
            if expected_files is not None and len(members) != expected_files:
                raise InputError(
                    f"holds {len(members)} files under {' and '.join(wanted)}, expected "
                    f"{expected_files}",
                    file=archive,
                    remedy="Remove it and fetch it again",
                )
            make_folder(folder)
            with exclusive(folder / prefix.replace("/", "-").strip("-"), "unpacking"):
                _unpack(opened, members, prefix, folder, progress or _silent)
            sync_folder(folder)
    except (tarfile.TarError, EOFError) as error:
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
    return folder


def _files(archive: Path, opened: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """The archive's files, once nothing in the whole archive speaks against unpacking them."""
    members: dict[str, tarfile.TarInfo] = {}
    for info in opened:
        problem = _problem(info)
        if problem is None and info.isfile() and info.name in members:
            problem = "is there twice"
        if len(members) >= MAX_MEMBERS:
            problem = f"is one file more than {MAX_MEMBERS}"
        if problem is not None:
            raise InputError(
                f"{problem}; nothing was unpacked", file=archive, record=repr(info.name)
            )
        if info.isfile():
            members[info.name] = info
    return list(members.values())


def _problem(info: tarfile.TarInfo) -> str | None:
    """Why a member must not be unpacked."""
    posix, windows = PurePosixPath(info.name), PureWindowsPath(info.name)
    if posix.is_absolute() or windows.anchor or {".."} & {*posix.parts, *windows.parts}:
        return "leads out of the folder"
    if not posix.parts or "\\" in info.name or "\0" in info.name:
        return "is not a usable name"
    return None if info.isfile() or info.isdir() else "is a link or a device"


def _unpack(
    opened: tarfile.TarFile,
    members: Sequence[tarfile.TarInfo],
    prefix: str,
    folder: Path,
    progress: Report,
) -> None:
    total = sum(info.size for info in members)
    missing = []
    for info in members:
        path = folder / info.name.removeprefix(prefix)
        if not path.is_file() or path.stat().st_size != info.size:
            missing.append((info, path))
    needed = sum(info.size for info, _ in missing)
    require_space(folder, needed, f"to unpack {opened.name!r}")
    done = total - needed
    progress(done, total)
    for info, path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        content = opened.extractfile(info)
        if content is None:
            raise tarfile.ReadError(f"{info.name} has no content")
        with content, unfinished.open("wb") as written:
            while chunk := content.read(_CHUNK):
                written.write(chunk)
                done += len(chunk)
                progress(done, total)
        if unfinished.stat().st_size != info.size:
            raise tarfile.ReadError(f"{info.name} is cut off")
        unfinished.replace(path)


def _silent(done: int, total: int | None) -> None:
    pass
