"""What may be asked of a model's execution, who refuses it, and what becomes of it."""

from __future__ import annotations

import pytest

from benchsuite.errors import KernelError, UsageError
from benchsuite.execution import OPTIONS, Execution, check_device, check_model, execution_title
from benchsuite.required_kernels import check_served
from benchsuite.specs import ModelSpec

PLAIN = {"compile": False, "channels_last": None, "cuda_graph": False}


def test_only_what_was_asked_for_is_named() -> None:
    assert Execution().asked() == {}
    assert Execution("bf16", channels_last=False).asked() == {
        "precision": "bf16",
        "channels_last": False,
    }
    assert set(OPTIONS) == {"precision", *PLAIN}


def test_there_are_three_precisions() -> None:
    with pytest.raises(UsageError, match="--precision int8: there are fp32, bf16, fp16"):
        Execution("int8")


def test_a_model_that_says_nothing_takes_nothing() -> None:
    silent = ModelSpec("silent", tasks=("bbox",), factory="nowhere:at_all")
    check_model(Execution(), silent)
    with pytest.raises(UsageError, match=r"'silent' does not take --precision, --channels-last \("):
        check_model(Execution("bf16", channels_last=True), silent)


def test_a_model_is_refused_what_it_does_not_name() -> None:
    half = ModelSpec("half", tasks=("bbox",), factory="nowhere:at_all", execution=("precision",))
    check_model(Execution("fp16"), half)
    with pytest.raises(UsageError, match=r"does not take --cuda-graph .* takes: --precision"):
        check_model(Execution("fp16", cuda_graph=True), half)


@pytest.mark.parametrize(
    ("execution", "refused"),
    [
        (Execution("fp16"), "fp16 needs a CUDA device"),
        (Execution(cuda_graph=True), "--cuda-graph needs a CUDA device"),
    ],
)
def test_a_cpu_cannot_do_everything(execution: Execution, refused: str) -> None:
    check_device(execution, "cuda:0")
    with pytest.raises(UsageError, match=refused):
        check_device(execution, "cpu")


def test_compiling_on_a_cpu_needs_a_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check_device(Execution(), "cpu")
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler"):
        check_device(Execution(compile=True), "cpu")


@pytest.mark.parametrize(
    ("run", "title"),
    [
        ({"precision": None}, ""),
        ({"precision": "fp32"}, "fp32"),
        ({"precision": "fp32", **PLAIN}, "fp32"),
        ({"precision": "bf16", **PLAIN, "compile": True}, "bf16, compiled"),
        ({"precision": "fp32", **PLAIN, "channels_last": False}, "fp32, channels first"),
        (
            {"precision": "fp16", "compile": None, "channels_last": True, "cuda_graph": True},
            "fp16, channels last, CUDA graph",
        ),
    ],
)
def test_a_run_says_how_it_was_executed(run: dict[str, object], title: str) -> None:
    assert execution_title(run) == title


def test_required_kernels_are_missed_by_name() -> None:
    check_served({"roi_align": "cuda", "batched_nms": "c++, cuda"})
    with pytest.raises(KernelError, match=r"kernels: batched_nms \(c\+\+, reference\)$"):
        check_served({"roi_align": "c++", "batched_nms": "c++, reference"})
