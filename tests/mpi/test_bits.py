"""The bits of one process, on every rank, whatever their number and that of their workers."""

import pytest

from tests.mpi.cases import CASES, WORKERS
from tests.mpi.report import digest
from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi


@pytest.fixture(scope="module")
def alone():
    """What one process computes without a communicator."""
    return [[name, workers, digest(case(comm=None, workers=1))] for name, case in CASES.items() for workers in WORKERS]


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_bits_are_those_of_one_process_on_every_rank(ranks, alone):
    assert len({digest for _, _, digest in alone}) == len(CASES)  # they do see a difference
    assert run(ranks, "bits") == dict.fromkeys(range(ranks), alone)
