"""TAR archives that are what they should be, and others."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from benchsuite.downloads.tar_archives import extract_tar
from benchsuite.errors import InputError


def packed(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def extract(archive: Path, folder: Path, **options) -> list[str]:
    extract_tar(archive, folder, prefix="kit/", below=("a/", "b/c/"), **options)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


GOOD = [("kit/a/1", b"one"), ("kit/b/c/2", b"two"), ("kit/b/d/3", b"three"), ("else/4", b"four")]


def test_the_folders_that_are_wanted_come(tmp_path):
    directory = tarfile.TarInfo("kit/a")
    directory.type = tarfile.DIRTYPE
    archive = packed(tmp_path / "x.tar", directory, *GOOD)
    told: list[tuple[int, int | None]] = []
    found = extract(
        archive, tmp_path / "out", expected_files=2, progress=lambda *both: told.append(both)
    )
    assert found == ["a/1", "b/c/2"]
    assert (tmp_path / "out" / "a" / "1").read_bytes() == b"one"
    assert told[0] == (0, 6) and told[-1] == (6, 6)


def test_what_is_there_is_left_and_what_is_unfinished_is_not(tmp_path):
    archive = packed(tmp_path / "x.tar", *GOOD)
    out = tmp_path / "out" / "a"
    out.mkdir(parents=True)
    (out / "1").write_bytes(b"ONE")
    (out / "mine").write_bytes(b"")
    assert extract(archive, tmp_path / "out") == ["a/1", "a/mine", "b/c/2"]
    assert (out / "1").read_bytes() == b"ONE"
    (out / "1").write_bytes(b"o")
    extract(archive, tmp_path / "out")
    assert (out / "1").read_bytes() == b"one"


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (("../out", b""), "leads out of the folder"),
        (("/etc/passwd", b""), "leads out of the folder"),
        (("kit/a/../../x", b""), "leads out of the folder"),
        (("C:/x", b""), "leads out of the folder"),
        (("kit\\a", b""), "is not a usable name"),
        (special("kit/a/l", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
        (special("kit/a/l", tarfile.LNKTYPE, "kit/a/1"), "is a link or a device"),
        (special("kit/a/f", tarfile.FIFOTYPE), "is a link or a device"),
        (("kit/a/1", b"again"), "is there twice"),
    ],
)
def test_archives_that_must_not_be_unpacked(tmp_path, member, problem):
    archive = packed(tmp_path / "x.tar", *GOOD, member)
    with pytest.raises(InputError, match=f"{problem}; nothing was unpacked"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_archives_that_are_damaged_or_hold_something_else(tmp_path):
    archive = packed(tmp_path / "x.tar", *GOOD)
    with pytest.raises(InputError, match=r"holds 2 files under kit/a/ and kit/b/c/, expected 3"):
        extract(archive, tmp_path / "out", expected_files=3)
    archive.write_bytes(archive.read_bytes()[:700])
    with pytest.raises(InputError, match="the archive is damaged"):
        extract(archive, tmp_path / "out")
    archive.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="the archive is damaged"):
        extract(archive, tmp_path / "out")
    with pytest.raises(InputError, match="of a kind that is not read"):
        extract(packed(tmp_path / "x.tgz", *GOOD, mode="w:gz"), tmp_path / "out")
