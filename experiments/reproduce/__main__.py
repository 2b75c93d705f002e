"""The report's rows on one's own data: tables, results.json and page.html.

python -m experiments.reproduce [--data digits|DIR] [--as tuned|report] [--seeds N] [--out DIR] ...

The network of every row and seed is kept: `networks` in `--out` holds a file for `fnn.load` of each. A sweep keeps one
network of each depth: that of the seed which is best on validation data.
A run that was interrupted continues when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse

from experiments.running.options import InputError, check_runs, command, positive, require, run_parser


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("reproduce", __doc__)
    add = parser.add_argument
    add("--as", dest="mode", default="tuned", choices=("tuned", "report"), help="whose settings (default: %(default)s)")
    add("--epochs", type=positive, metavar="N", help="epochs of every network (default: each row's own)")
    add("--features", default="pixels", choices=("pixels", "handmade"), help="what the perceptrons take")
    add("--sweep", choices=("depths",), help="train other depths of the improved LeNet-5's convolutions, not the rows")
    return parser


def _check(options: argparse.Namespace) -> None:
    check_runs(options)
    if options.features == "handmade":
        require("skimage")
    if options.sweep and options.features != "pixels":
        raise InputError("--sweep depths trains convolutions, which take pixels: leave --features out")


@command(_parser(), _check)
def main(options: argparse.Namespace) -> None:
    from experiments.reproduce.run import reproduce  # needs the extra

    reproduce(options)


if __name__ == "__main__":
    main()
