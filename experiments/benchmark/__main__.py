"""Speed, measured in one run: ratios to the peers (below 1: functional_nn is faster), the limit, growth and memory.

    python -m experiments.benchmark [--peers torch,jax,sklearn] [--quick] [--processes] [--out DIR]

Each contestant runs in a process of its own, and they take turns, so that noise affects all alike. The figures are
medians.
"""

from __future__ import annotations

import argparse
import importlib.util

from experiments.running.options import InputError, base_parser, check_out, command, missing, require

PEERS = {"torch": ("torch", "torch.compile"), "jax": ("jax",), "sklearn": ("sklearn",)}


def _parser() -> argparse.ArgumentParser:
    parser = base_parser("benchmark", __doc__)
    add = parser.add_argument
    add("--peers", type=_peers, metavar="A,B", help=f"any of {','.join(PEERS)} (default: those that are installed)")
    add("--quick", action="store_true", help="batches 1 and 128 alone, fewer steps, no growth")
    add("--processes", action="store_true", help="only what is measured on several processes too")
    return parser


def _peers(text: str) -> list[str]:
    unknown = sorted(set(text.split(",")) - PEERS.keys())
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected some of {','.join(PEERS)}")
    return text.split(",")


def _check(options: argparse.Namespace) -> None:
    require(*options.peers or ())
    check_out(options)


@command(_parser(), _check, interrupted="nothing is written")
def main(options: argparse.Namespace) -> None:
    from experiments.benchmark.run import benchmark  # needs the extra

    peers = options.peers or _installed_peers()
    names = [name for peer in peers for name in PEERS[peer]]
    benchmark(names, options.out, quick=options.quick, processes=_processes(options), rest=not options.processes)


def _processes(options: argparse.Namespace) -> bool:
    """Return whether to measure on several processes."""
    from experiments.benchmark.works import process_count

    why = None
    if importlib.util.find_spec("cloudpickle") is None:
        why = missing("cloudpickle")
    elif process_count() == 1:
        why = "there is one core"
    if why is not None and options.processes:
        raise InputError(f"--processes: {why}")
    if why is not None:
        print(f"several processes are left out: {why}")
    return why is None


def _installed_peers() -> list[str]:
    installed = [peer for peer in PEERS if importlib.util.find_spec(peer) is not None]
    for peer in PEERS:
        if peer not in installed:
            print(f"{peer} is left out: {missing(peer)}")
    return installed


if __name__ == "__main__":
    main()
