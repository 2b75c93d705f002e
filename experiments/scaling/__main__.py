"""What a training step costs on several ranks: measured on this machine, and predicted for up to 64.

    python -m experiments.scaling [--latency 50e-6] [--bandwidth 1.25e9] [--out DIR]

It measures the parts of a step, predicts whole steps from them, and measures whole steps on 1, 2 and 4 ranks beside
them. Then it predicts up to 64 machines that a network joins.
"""

from __future__ import annotations

import argparse
import math

from experiments.running.options import base_parser, check_out, command, require


def _parser() -> argparse.ArgumentParser:
    parser = base_parser("scaling", __doc__)
    add = parser.add_argument
    add("--latency", type=_above_zero, default=50e-6, metavar="S", help="of the network, in seconds (default: 50e-6)")
    add(
        "--bandwidth",
        type=_above_zero,
        default=1.25e9,
        metavar="B",
        help="of the network, in bytes a second (default: 1.25e9, which is 10 Gbit/s)",
    )
    return parser


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a finite number above 0, such as 50e-6")
    return number


def _check(options: argparse.Namespace) -> None:
    require("cloudpickle", "scipy", "matplotlib")
    check_out(options)


@command(_parser(), _check, interrupted="nothing is written")
def main(options: argparse.Namespace) -> None:
    from experiments.scaling.model import Link  # needs the extra
    from experiments.scaling.run import scaling

    scaling(Link(options.latency, options.bandwidth), options.out)


if __name__ == "__main__":
    main()
