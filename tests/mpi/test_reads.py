"""Each rank reads its own images only, so that data may be memory-mapped and larger than a machine's memory."""

import pytest

from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi


@pytest.mark.parametrize("ranks", [2, 4])
def test_images_of_other_ranks_may_be_nan_and_are_not_touched(ranks, tmp_path):
    ((*clean, _, _),) = run(1, "reads", tmp_path, "clean").values()
    for *digests, nan, touched in run(ranks, "reads", tmp_path, "poisoned").values():
        assert digests == clean
        assert nan in (96 - 96 // ranks, 96 - 96 // ranks - 1)  # the first image is everyone's
        assert touched is None or 1 / ranks <= touched <= 1.45 / ranks  # the system maps some pages around, too
