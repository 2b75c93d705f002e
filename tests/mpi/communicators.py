"""On each of four ranks: communicators other than the world."""

import numpy as np
from mpi4py import MPI

import functional_nn as fnn
from functional_nn.parallel.mpi import ranks_of
from functional_nn.parallel.threads import available_cores
from tests.mpi.cases import CLASSES, PLAIN, VECTORS, fit, gradient, start
from tests.mpi.report import digest, report

world = MPI.COMM_WORLD


def refused(task):
    try:
        task()
    except (TypeError, ValueError) as error:
        return str(error)
    raise AssertionError("nothing was refused")


def predicted(comm):
    return fnn.predict(PLAIN, start(PLAIN, VECTORS), VECTORS, comm=comm)


# each rank for itself: they need not even do the same
alone = [digest(fit(PLAIN, seed=world.rank, epochs=1 + world.rank, comm=MPI.COMM_SELF))]

# two halves, which train beside each other
half = world.Split(world.rank // 2)
halves = digest(fit(PLAIN, chunk=8, seed=world.rank // 2, comm=half))
threads = ranks_of(half).threads, max(1, available_cores() // 2)

# some of the ranks, and what the others are told
some = world.Split(0 if world.rank % 2 else MPI.UNDEFINED)
if world.rank % 2:
    outside = None
    predicted(some)
else:
    outside = refused(lambda: predicted(some))

# a message of the user's own that is on its way meanwhile
note = np.zeros(1)
waiting = world.Irecv(note, source=MPI.ANY_SOURCE, tag=MPI.ANY_TAG)
whole = digest(gradient(PLAIN, VECTORS, CLASSES, chunk=100, comm=world))
world.Send(np.array([world.rank + 0.5]), (world.rank + 1) % world.size)
waiting.Wait()

# what belongs to a communicator ends with it
own = ranks_of(half).comm
assert ranks_of(half) is ranks_of(half)
assert ranks_of(half.Dup()) is not ranks_of(half)
half.Free()
freed = [own == MPI.COMM_NULL, refused(lambda: predicted(half))]

# three ranks
three = world.Split(world.rank == 3)
odd = None if world.rank == 3 else refused(lambda: fit(PLAIN, comm=three))
other = refused(lambda: fit(PLAIN, comm="world"))

for facts in (alone, halves, threads, outside, whole, note[0], freed, odd, other):
    report(world.rank, facts)
