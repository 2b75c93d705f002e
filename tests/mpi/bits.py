"""On each rank: the digest of every case's result, for each number of workers."""

from mpi4py import MPI

from tests.mpi.cases import CASES, WORKERS
from tests.mpi.report import digest, report

for name, case in CASES.items():
    for workers in WORKERS:
        report(MPI.COMM_WORLD.rank, [name, workers, digest(case(comm=MPI.COMM_WORLD, workers=workers))])
