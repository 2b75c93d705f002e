"""What all tests share: how hypothesis draws its examples, and data sets, which are found or skipped.

Hypothesis has three profiles. HYPOTHESIS_PROFILE names one; without it the profile is "ci" where the variable CI is
set, else "dev".

    ci        the same examples in every run: what fails fails again
    dev       new examples in every run; a failure prints a `@reproduce_failure(...)` line that repeats it under its
              test, and the database in .hypothesis tries it first in the next run
    thorough  as dev, with twenty times as many examples
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# Jobs in the background of a script inherit that Ctrl-C is ignored; so would the tests, and what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def profile(environment: Mapping[str, str]) -> str:
    """Return the name of the hypothesis profile that these variables ask for."""
    return environment.get("HYPOTHESIS_PROFILE") or ("ci" if environment.get("CI") else "dev")


settings.register_profile(
    "dev", derandomize=False, print_blob=True, deadline=None, max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=500)
settings.load_profile(profile(os.environ))


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return the function `real_data("mnist") -> its directory`, which skips the test where there is none."""
    root = Path(os.environ.get("FUNCTIONAL_NN_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no data set at {root / name}: set FUNCTIONAL_NN_DATA to the directory that holds {name}")
        return root / name

    return find
