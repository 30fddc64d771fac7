"""Labels of a scatter plot."""

from __future__ import annotations

import numpy as np

from benchsuite.report.label_placement import CHARACTER_WIDTH, Label, place_labels

PLOT = {"width": 400.0, "height": 300.0, "font_size": 12.0, "radius": 5.0}


def box(label: Label, at: tuple[float, float], text: str) -> tuple[float, float, float, float]:
    wide, tall = CHARACTER_WIDTH * 12 * len(text), 12 * 1.15
    left = at[0] + label.dx - {"left": 0.0, "center": wide / 2, "right": wide}[label.align]
    top = at[1] + label.dy - tall / 2
    return left, top, left + wide, top + tall


def test_a_lone_point_has_its_label_above_to_the_left() -> None:
    (label,) = place_labels([(200, 150)], ["name"], **PLOT)
    assert label.align == "right"
    assert label.dx < 0
    assert label.dy < 0


def test_a_point_in_the_corner_has_its_label_within_the_plot() -> None:
    for corner in [(2, 2), (398, 2), (2, 298), (398, 298)]:
        (label,) = place_labels([corner], ["a longer name"], **PLOT)
        left, top, right, bottom = box(label, corner, "a longer name")
        assert left >= 0
        assert top >= 0
        assert right <= 400
        assert bottom <= 300


def test_labels_keep_off_each_other_and_off_points() -> None:
    rng = np.random.default_rng(1)
    points = [(float(x), float(y)) for x, y in rng.uniform((0, 0), (400, 300), (60, 2))]
    texts = [f"model_{i}" for i in range(60)]
    placed = place_labels(points, texts, **PLOT)
    assert 5 < len(placed) < 60, "some fit nowhere and are left out"
    boxes = [box(label, points[label.point], texts[label.point]) for label in placed]
    for i, (left, top, right, bottom) in enumerate(boxes):
        for l2, t2, r2, b2 in boxes[i + 1 :]:
            assert left >= r2 or l2 >= right or top >= b2 or t2 >= bottom
        for x, y in points:
            assert not (left < x < right and top < y < bottom)


def test_labels_keep_off_obstacles_and_empty_texts_take_no_room() -> None:
    everything_above = [(0.0, 0.0, 400.0, 148.0)]
    (label,) = place_labels(
        [(200, 150), (240, 160)], ["name", ""], obstacles=everything_above, **PLOT
    )
    assert label.point == 0
    assert label.dy >= 0
