"""A whole site from a store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchsuite.report import site as site_module
from benchsuite.report.site import write_site

Tables = dict[str, pa.Table]
StoreOf = Callable[[Path, Sequence[Tables]], Path]


@pytest.fixture(scope="module")
def site(believable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site(believable, out)
    return out


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_a_page_a_task_and_dataset_and_a_page_a_run(site: Path) -> None:
    names = set(files(site))
    boards = {"bbox/coco-val2017", "bbox/shapes-val", "segm/coco-val2017", "keypoints/coco-val2017"}
    for stem in boards:
        assert {f"{stem}.{ending}" for ending in ("html", "csv", "md", "parquet")} <= names
    twins = [name for name in names if name.startswith("bbox/coco-val2017-")]
    assert len(twins) == 4, "other annotations of the same name have a board of their own"
    assert len([name for name in names if name.startswith("runs/")]) == 24


def test_every_link_leads_to_a_file_of_the_site(site: Path, read_page: Callable[..., Any]) -> None:
    for path in site.rglob("*.html"):
        page = read_page(read(path))
        ids = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
        for link in page.tagged("a"):
            address = link["href"]
            if address.startswith("#"):
                assert address[1:] in ids
            else:
                assert (path.parent / address).resolve().is_file(), f"{path.name}: {address}"
        labelled = [a["aria-labelledby"] for _, a in page.elements if a.get("aria-labelledby")]
        assert set(labelled) <= ids
        assert len(ids) == len([a for _, a in page.elements if a.get("id")]), "ids are unique"


def test_the_ranking_is_readable_without_scripts(site: Path, read_page: Callable[..., Any]) -> None:
    page = read_page(read(site / "bbox/coco-val2017.html"))
    ranked, apart = page.tables[:2]
    heads = [cell.split("\0")[-1] for cell, _ in ranked[0]]
    name, value, claimed = heads.index("Model"), heads.index("measuredAP"), heads.index("claimedAP")
    rows = [[cell for cell, _ in row] for row in ranked[1:]]
    assert [row[0] for row in rows] == [str(rank) for rank in range(1, 12)]
    assert rows[0][name].startswith("cascade_mask_rcnn_swin_b_in21k_50ep")
    assert rows[0][value] == rows[0][claimed] == "53.9"
    assert rows[2][name] == "their_detector"
    assert rows[2][heads.index("Scored from")] == "a predictions file"
    assert ranked[0][0][1]["aria-sort"] == "ascending"
    assert [row[0][0].split("\0")[0] for row in apart[1:]] == ["mask_rcnn_R_50_FPN_3x"]
    assert apart[1][1][0] == "partial: 100 of 5,000 images"
    assert "hidden" not in {a for _, attributes in page.elements for a in attributes}


def test_times_are_compared_within_a_device_only(site: Path, read_page: Callable[..., Any]) -> None:
    page = read_page(read(site / "bbox/coco-val2017.html"))
    charts = [svg["aria-label"] for svg in page.tagged("svg") if svg.get("aria-label")]
    latency = [label for label in charts if "latency" in label]
    assert [label.split(" on ")[1].split(".")[0] for label in latency] == [
        "NVIDIA H100 80GB HBM3",
        "AMD EPYC 9R14, 4 threads",
    ]
    assert all("10 results" in label for label in latency), "neither partial nor without times"


def test_the_pareto_front_by_hand(
    run_tables: Callable[..., Tables],
    store_of: StoreOf,
    tmp_path: Path,
    read_page: Callable[..., Any],
) -> None:
    results = {"fast": (10, 0.2), "good": (50, 0.5), "beaten": (60, 0.4), "other": (1, 0.1)}
    runs = [
        run_tables(
            name, run_id=name, latency_ms=ms, tasks={"bbox": ap}, curves=False,
            device="cuda" if name == "other" else "cpu", device_name=f"{name == 'other'}",
        )
        for name, (ms, ap) in results.items()
    ]  # fmt: skip
    write_site(store_of(tmp_path / "store", runs), tmp_path / "site")
    page = read_page(read(tmp_path / "site/bbox/coco-val2017.html"))
    fronts = [t for t in page.tables if t[0][-1][0] == "ms / image" and t[0][0][0] == "Model"]
    assert [[row[0][0] for row in front[1:]] for front in fronts] == [["fast", "good"], ["other"]]


def test_random_weights_and_subsets_lead_nothing(site: Path, read_page: Callable[..., Any]) -> None:
    page = read_page(read(site / "bbox/shapes-val.html"))
    assert "No result can be ranked yet" in page.text
    assert page.tables[0][1][1][0] == "random weights"
    index = read_page(read(site / "index.html"))
    assert "Nothing that can be ranked yet." in index.text
    assert "random weights" in index.text
    assert "partial: 100 of 5,000 images" in index.text


def test_the_heat_map_holds_the_ranked_results(site: Path, read_page: Callable[..., Any]) -> None:
    page = read_page(read(site / "segm/coco-val2017.html"))
    heat = page.tables[-1]
    assert len(heat) == 41
    assert len(heat[0]) == 1 + 6
    without_truth = next(row for row in heat if row[0][0] == "motorcycle")
    assert {cell for cell, _ in without_truth[1:]} == {"–"}
    assert heat[-1] == without_truth
    classes = {attributes.get("class") for row in heat[1:] for _, attributes in row[1:]}
    assert classes - {None} <= {f"h{step}" for step in range(10)}
    assert len(classes) > 5


def test_the_same_store_gives_the_same_bytes(believable: Path, site: Path, tmp_path: Path) -> None:
    write_site(believable, tmp_path / "again")
    assert files(tmp_path / "again") == files(site)
    write_site(believable, tmp_path / "again")
    assert files(tmp_path / "again") == files(site)


def test_a_run_that_has_not_changed_is_not_drawn_again(
    run_tables: Callable[..., Tables],
    store_of: StoreOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    render = site_module.render_run

    def counting(run: Any, *tables: Any, **options: Any) -> str:
        drawn.append(run["run_id"])
        return render(run, *tables, **options)

    monkeypatch.setattr(site_module, "render_run", counting)
    store, out = tmp_path / "store", tmp_path / "site"
    store_of(store, [run_tables(run_id="first", tasks={"bbox": 0.4})])
    write_site(store, out)
    store_of(store, [run_tables(run_id="second", tasks={"bbox": 0.5})])
    write_site(store, out)
    assert drawn == ["first", "second"]
    (out / "runs/first.html").write_text("edited")
    write_site(store, out)
    assert drawn == ["first", "second", "first"]
    monkeypatch.setattr(site_module, "_drawn_by", lambda: "a newer version")
    write_site(store, out)
    assert drawn[3:] == ["first", "second"]


def test_a_run_that_is_gone_takes_its_pages_along(
    run_tables: Callable[..., Tables], store_of: StoreOf, tmp_path: Path
) -> None:
    store, out = tmp_path / "store", tmp_path / "site"
    store_of(store, [run_tables(run_id="a"), run_tables(run_id="b", tasks={"keypoints": 0.5})])
    write_site(store, out)
    assert (out / "keypoints").is_dir()
    for path in store.rglob("b.parquet"):
        path.unlink()
    write_site(store, out)
    assert not (out / "keypoints").exists()
    assert {path.name for path in (out / "runs").iterdir()} == {"a.html"}


def test_a_board_keeps_its_address_when_a_twin_comes(
    run_tables: Callable[..., Tables], store_of: StoreOf, tmp_path: Path
) -> None:
    from datetime import UTC, datetime

    store, out = tmp_path / "store", tmp_path / "site"
    first = run_tables(run_id="z", made_at=datetime(2025, 1, 1, tzinfo=UTC), tasks={"bbox": 0.4})
    twin = run_tables(
        run_id="a", made_at=datetime(2025, 1, 2, tzinfo=UTC), tasks={"bbox": 0.9},
        annotation_sha256="0" * 64,
    )  # fmt: skip
    store_of(store, [first, twin])
    write_site(store, out)
    assert 'href="../runs/z.html"' in read(out / "bbox/coco-val2017.html")
    assert 'href="../runs/a.html"' in read(out / "bbox/coco-val2017-00000000.html")


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_store_says_how_to_make_a_first_run(
    tmp_path: Path, exists: bool, read_page: Callable[..., Any]
) -> None:
    store = tmp_path / "store"
    if exists:
        store.mkdir()
    assert write_site(store, tmp_path / "site") == [
        tmp_path / "site/index.html",
        tmp_path / "site/site.json",
    ]
    text = read_page(read(tmp_path / "site/index.html")).text
    assert "benchsuite run --model mask_rcnn --dataset shapes" in text
    assert "benchsuite report" in text
    assert store.exists() == exists


def test_names_from_outside_are_escaped_on_every_page(
    run_tables: Callable[..., Tables],
    store_of: StoreOf,
    tmp_path: Path,
    read_page: Callable[..., Any],
) -> None:
    hostile = "<script>alert(1)</script>"
    breaking = '"><img src=x onerror=alert(2)>'
    runs = [
        run_tables(
            hostile, run_id=f"r{i}", recipe=breaking if i else None, dataset="../../../etc",
            split=breaking, device_name=hostile, model_licence=breaking, seed=i,
            categories=(hostile, breaking), model_options=f'{{"size": "{hostile}{i}"}}',
            tasks={"bbox": 0.3 + 0.1 * i}, published={"bbox/AP": 0.3},
        )
        for i in range(3)
    ]  # fmt: skip
    write_site(store_of(tmp_path / "store", runs), tmp_path / "site")
    assert {path.name for path in tmp_path.iterdir()} == {"store", "site"}
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) == 5
    for path in pages:
        page = read_page(read(path))
        assert len(page.tagged("script")) == 1, path
        assert not page.tagged("img"), path
        assert not [a for _, each in page.elements for a in each if a.startswith("on")], path
        assert hostile in page.text


def test_1203_classes_stay_usable(
    run_tables: Callable[..., Tables],
    store_of: StoreOf,
    tmp_path: Path,
    read_page: Callable[..., Any],
) -> None:
    names = [f"category_{i}" for i in range(1203)]
    runs = [
        run_tables(
            f"model_{i}", run_id=f"r{i}", dataset="lvis", split="v1", categories=names,
            curves=False, tasks={"bbox": 0.2 + 0.1 * i}, samples=20,
        )
        for i in range(2)
    ]  # fmt: skip
    write_site(store_of(tmp_path / "store", runs), tmp_path / "site")
    html = read(tmp_path / "site/bbox/lvis-v1.html")
    page = read_page(html)
    assert len(page.tables[-1]) == 1204
    assert len(html) < 500_000
    assert [e for e in page.tagged("div") if "heatmap" in (e.get("class") or "").split()]


def test_the_store_is_only_read(
    run_tables: Callable[..., Tables], store_of: StoreOf, tmp_path: Path
) -> None:
    store = store_of(tmp_path / "store", [run_tables(samples=10, curves=False)])
    before = files(store)
    write_site(store, tmp_path / "site")
    assert files(store) == before


def test_folders_of_the_site_are_its_own(believable: Path, site: Path, tmp_path: Path) -> None:
    copy = tmp_path / "leaderboards"
    shutil.copytree(site, copy)
    (copy / "README.md").write_text("about this folder")
    write_site(believable, copy)
    assert (copy / "README.md").read_text() == "about this folder"


def test_nothing_here_needs_torch(repository: Path) -> None:
    code = (
        "import sys, benchsuite.report.site, benchsuite.report.run_page, benchsuite.drawing; "
        "sys.exit('torch' in sys.modules)"
    )
    path = os.pathsep.join([str(repository), str(repository / "kernels"), *sys.path])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
