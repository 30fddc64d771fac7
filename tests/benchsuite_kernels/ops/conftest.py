"""Every test that takes ``implementation`` runs once for each that there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchsuite_kernels.dispatch import native, serving


@pytest.fixture(params=["reference", "c++"])
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "c++" and native() is None:
        pytest.skip("the extension is not built")
    with serving(request.param):
        yield request.param
