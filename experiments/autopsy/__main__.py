"""Why the report's figures were low: each of its defects alone, repaired, and all together.

python -m experiments.autopsy [--data digits|DIR] [--seeds N | --quick] [--defects 2 4] [--out DIR] ...

Differences are taken seed by seed, and only what their intervals tell apart is ranked; the author's networks vary so
much with the seed that three seeds (`--quick`) tell little apart. `--seed 100` repeats all with other seeds.

One network of each kind is kept, in `networks` in `--out`: that of the seed which is best on validation data. To load
those with defects, `fnn.load` needs `CONSTRUCTORS` of `experiments.autopsy.defects`.
A run that was interrupted continues when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse

from experiments.autopsy.defects import DEFECTS
from experiments.running.options import check_runs, command, positive, run_parser

SEEDS, QUICK = 20, 3


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("autopsy", __doc__, default_seeds=SEEDS)
    add = parser.add_argument
    add("--quick", action="store_const", dest="seeds", const=QUICK, help=f"the same as --seeds {QUICK}")
    add("--epochs", type=positive, metavar="N", help="of every network (default: by the data)")
    add(
        "--defects",
        nargs="+",
        choices=tuple(DEFECTS),
        metavar="D",
        help=f"try only these alone and repaired, of {', '.join(DEFECTS)} (default: all)",
    )
    return parser


@command(_parser(), check_runs)
def main(options: argparse.Namespace) -> None:
    from experiments.autopsy.run import autopsy  # needs the extra

    autopsy(options)


if __name__ == "__main__":
    main()
