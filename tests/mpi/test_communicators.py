"""Communicators other than the world: parts of it, single ranks, freed ones, and what is none."""

from tests.mpi.cases import CLASSES, PLAIN, VECTORS, fit, gradient
from tests.mpi.report import digest
from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi


def test_parts_of_the_world_share_out_on_their_own_and_others_are_refused():
    for rank, reports in run(4, "communicators").items():
        alone, halves, threads, outside, whole, note, freed, odd, other = reports
        assert alone == [digest(fit(PLAIN, seed=rank, epochs=1 + rank))]
        assert halves == digest(fit(PLAIN, chunk=8, seed=rank // 2))
        assert threads[0] == threads[1]
        null = "predict: comm is MPI.COMM_NULL, which has no ranks: call predict on the ranks of the communicator alone"
        assert rank % 2 or outside.startswith(null)
        assert whole == digest(gradient(PLAIN, VECTORS, CLASSES, chunk=100))
        assert note == (rank - 1) % 4 + 0.5
        assert freed[0]
        assert freed[1].startswith(null)
        assert rank == 3 or odd == (
            "fit: the number of comm's ranks is 3, expected a power of two, as the chunks of a batch are shared out by "
            "halves: take 2 or 4"
        )
        assert other.startswith("fit: comm is 'world', expected an mpi4py communicator, such as MPI.COMM_WORLD")
