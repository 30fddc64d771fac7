"""The page of one run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchsuite import schemas
from benchsuite.report.palette import CHART
from benchsuite.report.run_page import render_run

Tables = dict[str, pa.Table]

HOSTILE = "<script>alert(1)</script>"
BREAKING = '"><img src=x onerror=alert(2)>'


def page_of(tables: Tables, **replaced: Any) -> str:
    given = {**tables, **replaced}
    names = ("metrics", "per_class", "pr_curves", "throughput", "environment")
    return render_run(given["runs"].to_pylist()[0], *(given[name] for name in names))


@pytest.fixture(scope="module")
def usual(run_tables: Callable[..., Tables]) -> Tables:
    return run_tables(
        "mask_rcnn",
        recipe="mask_rcnn_R_50_FPN_3x",
        tasks={"bbox": 0.41021, "segm": 0.37},
        published={"bbox/AP": 0.410, "segm/AP": 0.372},
        warnings=["four threads on a busy machine"],
    )


def test_the_title_line(usual: Tables, read_page: Callable[..., Any]) -> None:
    text = read_page(page_of(usual)).text
    assert (
        "mask_rcnn_R_50_FPN_3x · coco/val2017 · 5,000 images · cpu, 4 threads · fp32 · batch 1"
        in text
    )
    assert "four threads on a busy machine" in text


def test_measured_stands_beside_claimed(usual: Tables, read_page: Callable[..., Any]) -> None:
    boxes, masks = read_page(page_of(usual)).tables[:2]
    assert [cell for cell, _ in boxes[0]] == [
        "Value",
        "Measured",
        "Claimed",
        "Difference",
        "Verdict",
    ]
    assert [cell for cell, _ in boxes[1]] == ["AP", "41.02", "41.0", "+0.02", "reproduced"]
    assert [cell for cell, _ in masks[1]] == ["AP", "37.00", "37.2", "−0.20", "outside tolerance"]
    assert boxes[1][1][1]["title"] == "0.41021", "full precision on hover"
    assert [cell for cell, _ in boxes[2]][1:] == ["61.53", "–", "–", ""]
    assert len(boxes) == 13


def test_stage_times(usual: Tables, read_page: Callable[..., Any]) -> None:
    samples = usual["throughput"]
    (stages,) = (t for t in read_page(page_of(usual)).tables if t[0][0][0] == "Stage")
    times = {row[0][0].split("\0")[0]: [cell for cell, _ in row[1:]] for row in stages[1:]}
    model = samples["model_ms"].to_numpy()
    assert times["Model"] == [f"{np.percentile(model, p):.1f}" for p in (50, 95)]
    assert list(times) == ["Load", "Pre-processing", "Model", "Post-processing", "Latency"]


def test_a_run_without_warnings_or_marks_has_no_banner(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    page = read_page(page_of(run_tables()))
    assert not [e for e in page.tagged("div") if "banner" in (e.get("class") or "")]
    assert "Random weights" not in page.text
    assert "Partial" not in page.text


@pytest.mark.parametrize(
    ("options", "said", "marked"),
    [
        ({"weights_random": True}, "Random weights", "random weights"),
        (
            {"n_images": 100, "n_dataset_images": 5000},
            "Partial, not comparable",
            "partial, not comparable",
        ),
    ],
)
def test_numbers_that_mean_little_say_so_loudly(
    run_tables: Callable[..., Tables],
    read_page: Callable[..., Any],
    options: dict[str, Any],
    said: str,
    marked: str,
) -> None:
    tables = run_tables(tasks={"bbox": 0.41}, published={"bbox/AP": 0.41}, **options)
    page = read_page(page_of(tables))
    assert said in page.text
    assert page.text.index(said) < page.text.index("Measured and claimed")
    assert page.tables[0][1][3][0] == "–", "no difference to a claim that it cannot be held against"
    assert page.tables[0][1][4][0] == marked
    assert page.text.count(marked) >= 2, "beside the number too, where a picture is cut from"


def test_a_banner_is_not_said_again_as_a_warning(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    warnings = ["random weights, the numbers mean nothing", "partial, not comparable: 5", "other"]
    tables = run_tables(
        "m", recipe="m", tasks={"bbox": 0.1}, weights_random=True, partial=True, warnings=warnings
    )
    shown = [e for e in read_page(page_of(tables)).tagged("div") if "banner" in e.get("class", "")]
    assert len(shown) == 3


def test_one_file_that_needs_nothing_else(usual: Tables, read_page: Callable[..., Any]) -> None:
    html = page_of(usual)
    page = read_page(html)
    assert not page.tagged("img")
    assert not page.tagged("iframe")
    assert all("src" not in attributes for attributes in page.tagged("script"))
    assert {link["href"][:5] for link in page.tagged("link")} == {"data:"}
    assert not [a for a in page.tagged("a") if not a["href"].startswith("#")]
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in html
    assert "url(" not in page.style


def test_the_policy_allows_the_page_s_own_script_alone(
    usual: Tables, read_page: Callable[..., Any]
) -> None:
    from base64 import b64encode
    from hashlib import sha256

    html = page_of(usual)
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    (policy,) = (
        meta["content"]
        for meta in read_page(html).tagged("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_the_same_tables_give_the_same_bytes(usual: Tables) -> None:
    assert page_of(usual) == page_of(usual)


def test_every_text_is_escaped(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    tables = run_tables(
        HOSTILE,
        recipe=BREAKING,
        dataset=HOSTILE,
        split=BREAKING,
        device_name=HOSTILE,
        precision=BREAKING,
        model_licence=HOSTILE,
        weights_name=BREAKING,
        command=HOSTILE,
        version=HOSTILE,
        warnings=[HOSTILE, BREAKING],
        model_options=f'{{"{HOSTILE}": "x"}}',
        evaluators=HOSTILE,
        categories=(HOSTILE, BREAKING, "'; DROP TABLE", "fourth"),
        verdict=HOSTILE,
    )
    environment = pa.Table.from_pylist(
        [{"run_id": "r", "name": HOSTILE, "value": BREAKING}], schema=schemas.ENVIRONMENT
    )
    metrics = tables["metrics"].to_pylist()
    metrics[0]["name"] = f"bbox/{HOSTILE}"
    metrics[0]["task"] = metrics[1]["task"] = BREAKING
    hostile = pa.Table.from_pylist(metrics, schema=schemas.METRICS)
    html = page_of(tables, environment=environment, metrics=hostile)
    page = read_page(html)
    assert len(page.tagged("script")) == 1
    assert "alert(1)" not in re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)[0]
    assert not page.tagged("img")
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert HOSTILE in page.text
    assert BREAKING in page.text


def test_values_that_were_not_measured_are_dashes(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    tables = run_tables(tasks={"bbox": -1.0}, categories=("a", "b", "c", "d"))
    rows = tables["per_class"].to_pylist()
    for row, value in zip(rows, (None, float("nan"), -1.0, 0.25)):
        row["value"] = value
    per_class = pa.Table.from_pylist(rows, schema=schemas.STORED_PER_CLASS)
    page = read_page(page_of(tables, per_class=per_class))
    numbers, classes = page.tables[0], page.tables[-1]
    assert {row[1][0] for row in numbers[1:]} == {"–"}
    first = next(row for row in classes if row[0][0] == "a")
    assert [cell for cell, _ in first[1:5]] == ["–", "–", "–", "25.0"]
    assert classes[-1][0][0] in ("a", "d"), "classes without truth come last"
    cells = {cell for table in (numbers, classes) for row in table for cell, _ in row}
    assert not cells & {"-1", "-1.0", "-100.0", "−100.0", "nan", "None", ""}


def test_the_hardest_class_comes_first(usual: Tables, read_page: Callable[..., Any]) -> None:
    classes = read_page(page_of(usual)).tables[-2]
    values = [float(row[1][0]) for row in classes[1:] if row[1][0] != "–"]
    assert values == sorted(values)
    assert len(classes) == 41


def test_a_run_of_1203_classes_stays_usable(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    names = [f"category_{i}" for i in range(1203)]
    tables = run_tables(categories=names, curves=False, tasks={"bbox": 0.3})
    html = page_of(tables)
    page = read_page(html)
    assert len(page.tables[-1]) == 1204
    assert len(html) < 1_000_000
    assert [e for e in page.tagged("div") if "tall" in (e.get("class") or "").split()]


def test_a_scored_predictions_file_has_a_page_too(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    tables = run_tables(
        verb="eval", device=None, device_name=None, threads=None, precision=None, batch_size=None,
        latency_ms=None, parameters=None, warmup=None, kernels=None, weights_name=None,
        weights_sha256=None, preprocessing=None, seed=None, model_options=None, category_map=None,
    )  # fmt: skip
    run = tables["runs"].to_pylist()[0]
    page = read_page(render_run(run, tables["metrics"]))
    assert "Latency" not in page.text
    assert "None" not in page.text
    assert "mask_rcnn · coco/val2017 · 5,000 images" in page.text


def test_a_model_that_shows_no_stages(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    samples = run_tables()["throughput"]
    nothing = pa.nulls(samples.num_rows, pa.float64())
    for name in ("preprocess_ms", "postprocess_ms"):
        place = samples.schema.get_field_index(name)
        samples = samples.set_column(place, samples.schema.field(name), nothing)
    page = read_page(page_of(run_tables(), throughput=samples))
    (stages,) = (t for t in page.tables if t[0][0][0] == "Stage")
    assert [cell for cell, _ in stages[2][1:]] == ["–", "–"]
    assert [cell for cell, _ in stages[3][1:]] == [cell for cell, _ in stages[5][1:]]


def test_provenance(usual: Tables, read_page: Callable[..., Any]) -> None:
    text = read_page(page_of(usual)).text
    run = usual["runs"].to_pylist()[0]
    for name in ("weights_sha256", "annotation_sha256", "images_sha256", "result_id", "command"):
        assert run[name] in text, name
    for said in ("pycocotools 2.0.11", "AMD EPYC 9R14", "backbone.norm", "version/torch", "2.11.0"):
        assert said in text, said


def test_categories_that_were_not_shared_are_told(
    run_tables: Callable[..., Tables], read_page: Callable[..., Any]
) -> None:
    mapping = '{"category_ids": [1], "dropped": ["unicorn"], "unreachable": ["toaster"]}'
    text = read_page(page_of(run_tables(category_map=mapping))).text
    assert "unicorn" in text
    assert "toaster" in text


def test_tables_are_told_to_screen_readers(usual: Tables, read_page: Callable[..., Any]) -> None:
    page = read_page(page_of(usual))
    assert all(page.captions)
    for table in page.tables:
        assert {attributes.get("scope") for _, attributes in table[0]} == {"col"}
        assert all(row[0][1].get("scope") == "row" for row in table[1:])
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.tagged("svg"))
    assert [html.get("lang") for html in page.tagged("html")] == ["en"]
    sorted_by = [a["aria-sort"] for t in page.tables for _, a in t[0] if a.get("aria-sort")]
    assert set(sorted_by) == {"ascending"}


def test_dark_pages_recolour_the_charts(usual: Tables, read_page: Callable[..., Any]) -> None:
    style = read_page(page_of(usual)).style
    assert "prefers-color-scheme:dark" in style
    for shade in CHART:
        assert f'svg [fill="{shade.light}"]{{fill:{shade.dark}}}' in style
        assert f'svg [stroke="{shade.light}"]{{stroke:{shade.dark}}}' in style
    assert "@media print" in style
