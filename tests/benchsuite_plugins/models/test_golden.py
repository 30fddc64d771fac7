"""Number by number against the reference implementation's recorded outputs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite_kernels import reset_served, served
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.dispatch import native, serving
from benchsuite_kernels.ops.registration import REGISTERED

FOLDERS = (
    "faster_rcnn_R_50_FPN",
    "faster_rcnn_R_101_FPN",
    "faster_rcnn_X_101_32x8d_FPN",
    "rpn_R_50_FPN",
    "fast_rcnn_R_50_FPN",
    "mask_rcnn_R_50_FPN",
    "mask_rcnn_R_50_FPN_cls_agnostic",
    "mask_rcnn_R_50_FPN_giou",
    "mask_rcnn_R_50_FPN_gn",
    "mask_rcnn_R_50_FPN_dconv_c3-c5",
    "LVISv1_mask_rcnn_R_50_FPN",
    "Cityscapes_mask_rcnn_R_50_FPN",
    "new_baselines_mask_rcnn_R_50_FPN_LSJ",
    "new_baselines_mask_rcnn_regnetx_4gf_dds_FPN_LSJ",
    "new_baselines_mask_rcnn_regnety_4gf_dds_FPN_LSJ",
    "vitdet_mask_rcnn",
    "vitdet_LVIS_mask_rcnn",
    "vitdet_cascade_mask_rcnn",
    "swin_cascade_mask_rcnn",
    "mvitv2_cascade_mask_rcnn",
    "cascade_mask_rcnn_R_50_FPN",
    "faster_rcnn_R_50_C4",
    "mask_rcnn_R_50_C4",
    "faster_rcnn_R_50_DC5",
    "mask_rcnn_R_50_DC5",
    "keypoint_rcnn_R_50_FPN",
    "semantic_R_50_FPN",
    "panoptic_fpn_R_50",
    "retinanet_R_50_FPN",
    "retinanet_R_101_FPN",
    "fcos_R_50_FPN",
)

ALWAYS_BY_ALL = {
    "mask_rcnn_R_50_FPN",
    "mask_rcnn_R_50_FPN_dconv_c3-c5",
    "keypoint_rcnn_R_50_FPN",
    "panoptic_fpn_R_50",
    "retinanet_R_50_FPN",
    "fcos_R_50_FPN",
}
"""Folders that every implementation of the operators runs in CI; together they call nearly all."""


def served_by(implementation: str) -> list[Any]:
    full = () if implementation == "c++" else pytest.mark.full
    return [
        pytest.param(name, implementation, marks=() if name in ALWAYS_BY_ALL else full)
        for name in FOLDERS
    ]


def run_golden(script: Path, *arguments: Path | str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        patch.syspath_prepend(script.parent)
        main = runpy.run_path(str(script), run_name="golden")["main"]
        return int(main())


def judge(golden: Path, folder: Path, *arguments: Path | str) -> dict[str, Any]:
    """What ``check_golden.py`` measures, once it has found it within tolerance."""
    judged = subprocess.run(
        [sys.executable, golden / "check_golden.py", folder, *arguments, "--json"],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    deviations: dict[str, Any] = json.loads(judged.stdout)["deviations"]
    return deviations


@pytest.mark.parametrize(
    ("name", "implementation"),
    [case for each in ("c++", "reference", "emulated") for case in served_by(each)],
)
def test_every_case_and_all_losses_are_within_tolerance(
    name: str, implementation: str, golden: Path, repository: Path, tmp_path: Path
) -> None:
    folder = golden / name
    if not folder.is_dir():
        pytest.skip(f"no golden folder {name}")
    if implementation == "c++" and native() is None:
        pytest.skip("the extension is not built")
    if implementation == "emulated" and (problem := emulation_problem()):
        pytest.skip(problem)
    reset_served()
    with serving(implementation):
        assert run_golden(repository / "tests" / "golden.py", folder, tmp_path, "--train") == 0
    by = {each: served()[each] for each in REGISTERED & served().keys()}
    assert by and all(implementation in one for one in by.values()), by
    cases = json.loads((folder / "config.json").read_text(encoding="utf-8"))["cases"]
    for output in [output for case in cases.values() for output in case["outputs"]]:
        deviations = judge(golden, folder, tmp_path / output, "--golden", output)
        assert deviations["resized_sha256.equal"] and deviations["padded_size.equal"]
    deviations = judge(golden, folder, "--train", tmp_path / "train.json")
    losses = [value for name, value in deviations.items() if name.startswith("loss.")]
    # The judge admits 2e-3: what is computed alike differs by rounding alone.
    assert losses and max(losses) < 1e-4


def test_features_are_compared(golden: Path, repository: Path, tmp_path: Path) -> None:
    folder = golden / "mask_rcnn_R_50_FPN"
    command = [sys.executable, repository / "tests" / "golden.py", folder, tmp_path]
    assert subprocess.run(command).returncode == 0
    deviations = judge(golden, folder, tmp_path / "outputs.npz")
    assert deviations["feat.compared"] == 31
    assert deviations["feat.worst_rel"] < 1e-3
    assert deviations["masks.worst_pixels_off"] <= 3


def test_overrides_of_a_case_hold_for_that_case(
    golden: Path, repository: Path, tmp_path: Path
) -> None:
    source = golden / "mask_rcnn_R_50_FPN"
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    main = config["cases"]["main"]
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for name in ("weights.npz", "image.png"):
        (folder / name).symlink_to(source / name)
    config["cases"] = {
        "main": main,
        "few": {**main, "outputs": ["few.npz"], "overrides": {"score_thresh": 0.9}},
        "none": {**main, "outputs": ["none.npz"], "overrides": {"roi_heads.score_thresh_test": 2}},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert run_golden(repository / "tests" / "golden.py", folder, out) == 0
    with np.load(out / "outputs.npz") as all_of_them, np.load(out / "few.npz") as few:
        confident = all_of_them["scores"][all_of_them["scores"] > 0.9]
        assert 0 < len(confident) < len(all_of_them["scores"])
        np.testing.assert_array_equal(few["scores"][: len(confident)], confident)
        assert (few["scores"] > 0.9).all()
    with np.load(out / "none.npz") as none:
        assert none["boxes"].shape == (0, 4)
        assert none["masks_rle"].shape == (0,)


def test_what_is_not_built_is_said(
    golden: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = golden / "mask_rcnn_R_50_FPN"
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    for section, key, value in (
        ("fpn", "extra_levels", "something else"),
        ("box_head", "unheard_of", 1),
        ("some_section", "key", 1),
    ):
        changed = {**config, section: {**config.get(section, {}), key: value}}
        (tmp_path / "config.json").write_text(json.dumps(changed), encoding="utf-8")
        assert run_golden(repository / "tests" / "golden.py", tmp_path, tmp_path) == 2
        assert (key if section in config else section) in capsys.readouterr().err
