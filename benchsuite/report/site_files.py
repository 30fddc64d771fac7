"""Putting a site's files into a folder: each whole or not at all, and none that is not ours.

``site.json`` lists the files that ``benchsuite report`` wrote there, and what they were made of. A
file that is not listed is somebody else's and is never replaced or removed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from benchsuite.errors import BenchsuiteError, InputError

MANIFEST = "site.json"


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One file to write.

    Attributes:
        content: its bytes.
        made_of: a digest of everything that it was made of; empty: it is made anew every time.
    """

    content: bytes
    made_of: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the manifest says of a file that was written earlier."""

    sha256: str
    made_of: str = ""


def still_good(
    out: Path, name: str, made_of: str, earlier: Mapping[str, Listed]
) -> SiteFile | None:
    """The file that lies there, if it was made of the same and nobody has touched it since."""
    listed = earlier.get(name)
    target = out / name
    if listed is None or not made_of or listed.made_of != made_of or not target.is_file():
        return None
    content = target.read_bytes()
    return SiteFile(content, made_of) if sha256(content).hexdigest() == listed.sha256 else None


def write_files(out: Path, files: Mapping[str, SiteFile]) -> list[Path]:
    """Bring a folder to hold exactly these files, beside whatever is not ours.

    Args:
        out: the folder; made where it is missing.
        files: relative path, with ``/``, to content.

    Returns:
        The files, in the order given, and the manifest last. One whose content has not changed is
        left untouched.

    Raises:
        BenchsuiteError: a file is in the way that ``benchsuite report`` did not write (nothing is
            changed then), or the folder cannot be written.
        InputError: the manifest is damaged.
    """
    earlier = read_manifest(out)
    for name, file in files.items():
        target = out / name
        if name not in earlier and target.exists() and not _holds(target, file.content):
            raise BenchsuiteError(
                f"{target} is in the way: `benchsuite report` did not write it and does not "
                "replace it. Move it, or choose another folder with --out DIR"
            )
    now = {
        name: Listed(sha256(file.content).hexdigest(), file.made_of) for name, file in files.items()
    }
    try:
        # Known before they are there: a writer that is killed leaves nothing it does not own up to.
        _replace(out / MANIFEST, _manifest({**earlier, **now}))
        for name, file in files.items():
            if not _holds(out / name, file.content):
                _replace(out / name, file.content)
        for name in earlier.keys() - files.keys():
            (out / name).unlink(missing_ok=True)
            _remove_empty_folders(out, (out / name).parent)
        _replace(out / MANIFEST, _manifest(now))
    except OSError as error:
        raise BenchsuiteError(
            f"{out}: the leaderboards cannot be written: {error}. Choose another folder with "
            "--out DIR, or make room"
        ) from error
    return [*(out / name for name in files), out / MANIFEST]


def read_manifest(out: Path) -> dict[str, Listed]:
    """The files that were written there before, by relative path; empty: none.

    Raises:
        InputError: the manifest is damaged, or names a file outside the folder.
    """
    path = out / MANIFEST
    if not path.exists():
        return {}
    remedy = "Remove it, and the pages beside it, to write them anew"
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        listed = {
            str(name): Listed(str(each["sha256"]), str(each.get("made_of", "")))
            for name, each in files.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"no list of a site's files ({type(error).__name__}: {error})", file=path, remedy=remedy
        ) from None
    for name in listed:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
            raise InputError(f"names a file outside its folder, {name!r}", file=path, remedy=remedy)
    return listed


def _manifest(files: Mapping[str, Listed]) -> bytes:
    listed = {
        name: {"sha256": each.sha256, **({"made_of": each.made_of} if each.made_of else {})}
        for name, each in sorted(files.items())
    }
    text = json.dumps({"written_by": "benchsuite report", "files": listed}, indent=1)
    return f"{text}\n".encode()


def _holds(target: Path, content: bytes) -> bool:
    return target.is_file() and target.read_bytes() == content


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", suffix=".tmp", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_empty_folders(out: Path, folder: Path) -> None:
    while folder != out and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
