"""How many wrong backwards the gradient checker rejects, and how many right ones: a table, and results.json.

    python -m experiments.mutants [--subjects relu,conv2d] [--right N] [--seed S] [--workers N] [--out DIR]

A program breaks every public layer, combinator and loss: in its source (a term dropped, a sign flipped, ...) and in the
gradients that it returns. A mutant counts if it changes a gradient and not the output; a comparison with the right
pullback decides that, not the checker. It is rejected only if the checker rejects it on every case where it changes a
gradient.
"""

from __future__ import annotations

import argparse

from experiments.running.options import base_parser, check_out, command, positive, seed, whole


def _parser() -> argparse.ArgumentParser:
    parser = base_parser("mutants", __doc__)
    add = parser.add_argument
    add("--subjects", type=_subjects, metavar="A,B", help="layers and losses, by name (default: all)")
    add("--right", type=whole(), default=10_000, metavar="N", help="right cases to check (default: %(default)s)")
    add("--seed", type=seed, default=0, metavar="S", help="of the configurations, the inputs and the checks")
    add("--workers", type=positive, metavar="N", help="processes (default: one a core)")
    return parser


def _subjects(text: str) -> list[str]:
    from experiments.mutants.subjects import SUBJECTS

    unknown = sorted(set(text.split(",")) - set(SUBJECTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected some of {','.join(SUBJECTS)}")
    return text.split(",")


@command(_parser(), check_out, interrupted="nothing is written", extra="test")
def main(options: argparse.Namespace) -> None:
    from experiments.mutants.run import run_mutants  # needs the extra

    run_mutants(options)


if __name__ == "__main__":
    main()
