"""A folder is there in its old or its new form, whenever the process dies."""

from __future__ import annotations

import pytest

from benchsuite.files import durable
from benchsuite.files.replaced_folder import recover, replaced_folder


def fill(folder, text):
    with replaced_folder(folder) as new:
        (new / "file").write_text(text)


def test_it_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, "one")
    (folder / "more").write_text("")
    fill(folder, "two")
    assert [each.name for each in folder.iterdir()] == ["file"]
    assert (folder / "file").read_text() == "two"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_an_error_leaves_it_as_it_was(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, "one")
    with pytest.raises(KeyboardInterrupt), replaced_folder(folder) as new:
        (new / "file").write_text("two")
        raise KeyboardInterrupt
    assert (folder / "file").read_text() == "one"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


class Killed(BaseException):
    """In place of the end of the process."""


@pytest.mark.parametrize("survived", range(6))
def test_whenever_it_dies(tmp_path, monkeypatch, survived):
    """Killed before one of its steps: each rename, removal and fsync of a folder."""
    folder = tmp_path / "folder"
    fill(folder, "one")
    left = [survived]

    def or_die(step):
        def counted(*args, **named):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return step(*args, **named)

        return counted

    with monkeypatch.context() as patch:
        path_type = type(folder)
        patch.setattr(path_type, "rename", or_die(path_type.rename))
        patch.setattr(durable, "sync_folder", or_die(durable.sync_folder))
        patch.setattr(durable, "sync_tree", or_die(durable.sync_tree))
        try:
            fill(folder, "two")
        except Killed:
            died = True
        else:
            died = False
    assert died == (survived < 6)
    recover(folder)
    assert (folder / "file").read_text() in ("one", "two")
    fill(folder, "three")
    assert (folder / "file").read_text() == "three"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
