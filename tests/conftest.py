"""What all tests share: hypothesis draws the same examples in every run, and data sets are found or skipped."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("ci"), derandomize=False, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return the function `real_data("mnist") -> its directory`, which skips the test where there is none."""
    root = Path(os.environ.get("FUNCTIONAL_NN_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no data set at {root / name}: set FUNCTIONAL_NN_DATA to the directory that holds {name}")
        return root / name

    return find
