"""Why the report's figures were low: each of its defects alone, repaired, and all together.

python -m experiments.autopsy [--data digits|DIR] [--seeds N] [--out DIR] ...

One network of each kind is kept, in `networks` in `--out`: that of the seed which is best on validation data. To load
those with defects, `fnn.load` needs `CONSTRUCTORS` of `experiments.autopsy.defects`.
A run that was interrupted continues when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse

from experiments.running.options import check_runs, command, positive, run_parser


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("autopsy", __doc__)
    parser.add_argument("--epochs", type=positive, metavar="N", help="of every network (default: by the data)")
    return parser


@command(_parser(), check_runs)
def main(options: argparse.Namespace) -> None:
    from experiments.autopsy.run import autopsy  # needs the extra

    autopsy(options)


if __name__ == "__main__":
    main()
