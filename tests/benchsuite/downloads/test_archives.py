"""Archives that are fine, broken, interrupted and malicious."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from benchsuite.downloads.archives import extract_member, extract_zip
from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.files import disk_space

FILES = {f"val/{number:03}.jpg": bytes([number]) * 5000 for number in range(20)}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return pack(tmp_path / "val.zip", {**FILES, "other/readme.txt": b"hello"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "val"


def content(folder: Path) -> dict[str, bytes]:
    return {f"val/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_a_folder_of_the_archive(archive: Path, folder: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    extract_zip(
        archive,
        folder,
        prefix="val/",
        expected_files=20,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert content(folder) == FILES
    assert seen[-1] == (100_000, 100_000)
    assert [path.name for path in folder.parent.iterdir()] == ["val"]


def test_the_whole_archive(archive: Path, folder: Path) -> None:
    extract_zip(archive, folder)
    assert (folder / "other" / "readme.txt").read_bytes() == b"hello"
    assert content(folder / "val") == FILES


def test_a_folder_that_is_there_stays_as_it_is(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    extract_zip(archive, folder)
    assert list(folder.iterdir()) == []


def test_what_macos_adds_is_left_out(tmp_path: Path, folder: Path) -> None:
    clutter = {"__MACOSX/val/._000.jpg": b"x", "val/.DS_Store": b"x", "val/._001.jpg": b"x"}
    archive = pack(tmp_path / "val.zip", {**FILES, **clutter})
    extract_zip(archive, folder, prefix="val/", expected_files=20)
    assert content(folder) == FILES


def test_an_interrupted_extraction_goes_on(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_zip(archive, folder, prefix="val/", progress=interrupt)
    assert not folder.exists()
    staging = folder.with_name("val.partial")
    (staging / "003.jpg").write_bytes(b"\0" * 5000)
    starts: list[int] = []
    extract_zip(archive, folder, prefix="val/", progress=lambda done, total: starts.append(done))
    assert starts[0] == 9 * 5000
    assert content(folder) == FILES
    assert not staging.exists()


def test_one_member(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "readme.txt"
    extract_member(archive, "other/readme.txt", target)
    assert target.read_bytes() == b"hello"
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(InputError, match=r"holds no other/gone\.txt"):
        extract_member(archive, "other/gone.txt", target.with_name("gone.txt"))


def test_a_wrong_count_is_said_before_anything_is_unpacked(archive: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="holds 20 files under val/, expected 5000"):
        extract_zip(archive, folder, prefix="val/", expected_files=5000)
    assert not folder.parent.exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "val/../../evil", "/etc/evil", "C:\\evil", "C:/evil", "..\\evil", "val\\x"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, folder: Path, name: str) -> None:
    archive = pack(tmp_path / "evil.zip", {**FILES, name: b"x"})
    with pytest.raises(InputError, match="nothing was unpacked") as caught:
        extract_zip(archive, folder, prefix="val/")
    assert repr(name) in str(caught.value)
    assert not folder.parent.exists()
    assert not (tmp_path / "evil").exists()


def test_links_are_refused(tmp_path: Path, folder: Path) -> None:
    link = zipfile.ZipInfo("val/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        extract_zip(tmp_path / "link.zip", folder)


def test_a_name_that_comes_twice_is_refused(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    with pytest.raises(InputError, match="is there twice"):
        extract_zip(tmp_path / "twice.zip", folder)


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = pack(tmp_path / "both.zip", {"a": b"1", "a/b": b"2"})
    with pytest.raises(InputError, match="lies in a file"):
        extract_zip(archive, folder)


def test_a_bomb_is_refused(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100 << 20))
    with pytest.raises(InputError, match="unpacks to 105 MB"):
        extract_zip(tmp_path / "bomb.zip", folder)
    archive_path = pack(tmp_path / "large.zip", FILES)
    with pytest.raises(InputError, match="more than the"):
        extract_zip(archive_path, folder, max_bytes=99_999)
    assert not folder.parent.exists()


def test_a_damaged_member_leaves_no_folder(archive: Path, folder: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[3000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        extract_zip(archive, folder, prefix="val/")
    assert not folder.exists()


def test_a_truncated_archive(archive: Path, folder: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged"):
        extract_zip(archive, folder)


def test_space_is_asked_for_before(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "free_bytes", lambda folder: 1000)
    with pytest.raises(BenchsuiteError, match="100 kB are needed to unpack"):
        extract_zip(archive, folder, prefix="val/")
    assert not folder.exists()
