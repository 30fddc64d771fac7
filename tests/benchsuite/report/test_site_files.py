"""Writing a site into a folder that others use too."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.report.site_files import (
    MANIFEST,
    SiteFile,
    read_manifest,
    still_good,
    write_files,
)


def files(**contents: str) -> dict[str, SiteFile]:
    return {
        name.replace("__", "/") + ".html": SiteFile(text.encode())
        for name, text in contents.items()
    }


def listing(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def test_files_and_their_list(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    written = write_files(out, files(index="one", runs__r1="two"))
    assert written == [out / "index.html", out / "runs/r1.html", out / MANIFEST]
    assert (out / "runs/r1.html").read_text() == "two"
    assert read_manifest(out)["index.html"].sha256 == sha256(b"one").hexdigest()
    assert listing(out) == {"index.html", "runs/r1.html", MANIFEST}


def test_what_is_gone_is_removed_and_what_is_foreign_stays(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("ours")
    write_files(tmp_path, files(index="one", bbox__coco="two", runs__r1="three"))
    (tmp_path / "runs" / "notes.txt").write_text("mine")
    write_files(tmp_path, files(index="new"))
    assert listing(tmp_path) == {"README.md", "index.html", "runs/notes.txt", MANIFEST}
    assert not (tmp_path / "bbox").exists()
    assert (tmp_path / "index.html").read_text() == "new"


def test_a_foreign_file_of_a_page_s_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a page that somebody wrote by hand")
    with pytest.raises(BenchsuiteError, match=r"index\.html is in the way.*--out"):
        write_files(tmp_path, files(bbox__coco="two", index="one"))
    assert listing(tmp_path) == {"index.html"}
    assert "by hand" in (tmp_path / "index.html").read_text()


def test_an_unchanged_file_is_left_untouched(tmp_path: Path) -> None:
    write_files(tmp_path, files(index="one", other="two"))
    before = (tmp_path / "index.html").stat()
    write_files(tmp_path, files(index="one", other="three"))
    after = (tmp_path / "index.html").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (tmp_path / "other.html").read_text() == "three"


def test_a_killed_writer_leaves_files_that_the_next_one_owns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, files(index="old"))
    replace = Path.replace

    def dying(self: Path, target: Path) -> Path:
        if Path(target).name == "last.html":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, files(index="new", first="1", last="2"))
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*.tmp")), "no half-written file is left"
    assert (tmp_path / "index.html").read_text() == "new"
    write_files(tmp_path, files(index="new", last="2"))
    assert listing(tmp_path) == {"index.html", "last.html", MANIFEST}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BenchsuiteError, match="--out DIR"):
        write_files(tmp_path / "file" / "site", files(index="one"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": []}', '{"files": {"a.html": 1}}', '{"files": {"a": {}}}']
)
def test_a_damaged_list_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=MANIFEST):
        write_files(tmp_path, files(index="one"))
    assert listing(tmp_path) == {MANIFEST}


@pytest.mark.parametrize(
    "name", ["../victim", "/etc/victim", "a/../../victim", "a\\..\\b", "C:x", ""]
)
def test_a_list_cannot_name_a_file_outside(tmp_path: Path, name: str) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (tmp_path / "victim").write_text("precious")
    (out / MANIFEST).write_text(json.dumps({"files": {name: {"sha256": "0"}}}))
    with pytest.raises(InputError, match="outside"):
        write_files(out, files(index="one"))
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_file_is_good_while_it_is_made_of_the_same_and_untouched(tmp_path: Path) -> None:
    write_files(tmp_path, {"r.html": SiteFile(b"page", "digest"), "i.html": SiteFile(b"index")})
    earlier = read_manifest(tmp_path)
    assert still_good(tmp_path, "r.html", "digest", earlier) == SiteFile(b"page", "digest")
    assert still_good(tmp_path, "r.html", "other", earlier) is None
    assert still_good(tmp_path, "i.html", "", earlier) is None
    assert still_good(tmp_path, "new.html", "digest", earlier) is None
    (tmp_path / "r.html").write_text("edited")
    assert still_good(tmp_path, "r.html", "digest", earlier) is None
    (tmp_path / "r.html").unlink()
    assert still_good(tmp_path, "r.html", "digest", earlier) is None
