"""Who computes what: chunks of a batch on threads, and shares of them on processes and machines."""

from functional_nn.parallel.mpi import is_communicator
from functional_nn.parallel.process_ranks import ProcessRanks
from functional_nn.parallel.processes import Processes, processes
from functional_nn.parallel.ranks import ALONE, Comm, RankError, Ranks, alike, check_same_call, own_share
from functional_nn.parallel.threads import available_cores, in_order
from functional_nn.parallel.together import check_comm, together

__all__ = [
    "ALONE",
    "Comm",
    "ProcessRanks",
    "Processes",
    "RankError",
    "Ranks",
    "alike",
    "available_cores",
    "check_comm",
    "check_same_call",
    "in_order",
    "is_communicator",
    "own_share",
    "processes",
    "together",
]
