from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchsuite.errors import ContractError
from benchsuite.protocols import CountingModel
from benchsuite_plugins.models.box_coder import BoxCoder
from benchsuite_plugins.models.federated_predictor import (
    FederatedBoxPredictor,
    make_losses,
    make_predictor,
)
from benchsuite_plugins.models.options import BoxHeadOptions
from benchsuite_plugins.models.training_options import BoxHeadTrainingOptions, ClassLossOptions
from benchsuite_plugins.models.vitdet_cascade_mask_rcnn import (
    ViTDetCascadeMaskRCNNOptions,
    build,
)

FEDERATED = BoxHeadOptions(
    classification="federated",
    training=BoxHeadTrainingOptions(class_loss=ClassLossOptions("federated", {"num_classes": 2})),
)


def test_scores_are_independent_of_each_other() -> None:
    predictor = make_predictor(4, 3, FEDERATED)
    logits = torch.tensor([[0.0, 100.0, 100.0, -100.0]], dtype=torch.bfloat16)
    assert predictor.probabilities(logits).tolist() == [[0.5, 1, 1, 0]]
    assert predictor.probabilities(logits).dtype == torch.float32
    exclusive = make_predictor(4, 3, BoxHeadOptions())
    assert exclusive.probabilities(logits).sum() == 1
    assert not isinstance(exclusive, FederatedBoxPredictor)


def test_weights_are_saved_and_decide_what_is_drawn() -> None:
    predictor = make_predictor(4, 3, FEDERATED)
    assert predictor.state_dict()["fed_loss_cls_weights"].tolist() == [1, 1, 1]
    losses = make_losses(FEDERATED, BoxCoder((1, 1, 1, 1)), predictor)
    weights = torch.tensor([0.0, 0.0, 1.0])
    predictor.load_state_dict({**predictor.state_dict(), "fed_loss_cls_weights": weights})
    logits = torch.tensor([[50.0, 50.0, -50.0, 50.0]], requires_grad=True)
    losses.class_loss(logits, torch.tensor([3])).sum().backward()
    assert logits.grad is not None and (logits.grad.abs() < 1e-6).all()


def test_classes_are_drawn_by_how_common_they_are() -> None:
    predictor = FederatedBoxPredictor(4, 3, class_agnostic=True)
    predictor.set_image_counts([9, 0, 4])
    assert predictor.state_dict()["fed_loss_cls_weights"].tolist() == [3, 0, 2]
    with pytest.raises(ContractError, match="2 image counts for 3 classes"):
        predictor.set_image_counts([1, 2])


def test_a_model_tells_all_stages() -> None:
    with torch.device("meta"):
        heads = replace(FEDERATED, cls_agnostic_bbox_reg=True)
        options = ViTDetCascadeMaskRCNNOptions(box_head=heads)
        model = build(options, 3)
    assert isinstance(model, CountingModel)
    predictors = [each for each in model.modules() if isinstance(each, FederatedBoxPredictor)]
    for predictor in predictors:
        predictor.to_empty(device="cpu")
    model.set_image_counts([1, 4, 16])
    assert [each.fed_loss_cls_weights.tolist() for each in predictors] == [[1, 2, 4]] * 3
