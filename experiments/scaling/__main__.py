"""Several ranks, measured on this machine and, by a cost model that is checked against it, predicted for more.

    python -m experiments.scaling [--ranks 1,2,4] [--latency US] [--bandwidth GBIT] [--out DIR]

Ranks are processes and, where mpi4py is installed, those of MPI. More ranks than cores share them and are expected to
lose: they show that the model knows why. Times are the fastest of three rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import math

from experiments.running.options import base_parser, check_out, command, missing, require

LATENCY_US, GBIT = 50.0, 10.0  # TCP on 10 Gbit Ethernet


def _parser() -> argparse.ArgumentParser:
    parser = base_parser("scaling", __doc__)
    add = parser.add_argument
    add("--ranks", type=_ranks, default=[1, 2, 4], metavar="A,B", help="powers of two, with 1 and 2 (default: 1,2,4)")
    add("--latency", type=_positive, default=LATENCY_US, metavar="US", help="of the network (default: %(default)s us)")
    add("--bandwidth", type=_positive, default=GBIT, metavar="GBIT", help="of it (default: %(default)s Gbit/s)")
    return parser


def _ranks(text: str) -> list[int]:
    numbers = sorted({int(part) for part in text.split(",") if part.isdecimal() and len(part) < 4})
    if numbers[:2] != [1, 2] or len(numbers) != len(text.split(",")) or any(n & (n - 1) for n in numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: expected powers of two, with 1 and 2, such as 1,2,4")
    return numbers


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return number


def _check(options: argparse.Namespace) -> None:
    require("cloudpickle", "scipy")
    check_out(options)


@command(_parser(), _check, interrupted="nothing is written")
def main(options: argparse.Namespace) -> None:
    from experiments.scaling.model import Link  # need the extra
    from experiments.scaling.run import scaling
    from experiments.scaling.under_mpi import mpiexec

    why = None
    if importlib.util.find_spec("mpi4py") is None:
        why = missing("mpi4py")
    elif mpiexec() is None:
        why = "there is no mpiexec: run pip install mpich"
    if why is not None:
        print(f"MPI is left out: {why}")
    scaling(options.ranks, Link(1e-6 * options.latency, 1e9 / 8 * options.bandwidth), options.out, mpi=why is None)


if __name__ == "__main__":
    main()
