"""Each rank reads its own images only, so that data may be memory-mapped and larger than a machine's memory."""

import pytest

from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi


@pytest.mark.parametrize("ranks", [2, 4])
def test_images_of_other_ranks_may_be_nan(ranks, tmp_path):
    clean = run(1, "reads", tmp_path, "clean")[0]
    reports = run(ranks, "reads", tmp_path, "poisoned")
    nan = {rank: rank_s.pop() for rank, rank_s in reports.items()}
    assert all(96 - 96 // ranks - 1 <= count <= 96 - 96 // ranks for count in nan.values())
    assert reports == dict.fromkeys(range(ranks), clean[:-1])
