from __future__ import annotations

from math import pi, sin

from benchsuite_plugins.datasets.shapes import integer_trigonometry as trigonometry


def test_every_value_is_the_sine_to_nearest() -> None:
    expected = [round(sin(2 * pi * angle / 1024) * 16384) for angle in range(1024)]
    assert list(trigonometry.SINES) == expected


def test_angles_wrap_around() -> None:
    assert trigonometry.sin(-256) == -trigonometry.ONE == trigonometry.sin(768 + 5 * 1024)
    assert trigonometry.cos(0) == trigonometry.ONE and trigonometry.cos(256) == 0
