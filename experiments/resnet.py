"""A small residual network on one's own images: python -m experiments.resnet --data DIR

`models.small_resnet` shows that the parts compose: convolutions with strides, group norm, SiLU, residual blocks, the
mean over positions. It trains with AdamW and a learning rate that falls along a cosine, on images that are mirrored and
shifted at random. The settings are those that `experiments.search` chose for the improved LeNet-5; the number of epochs
is the largest that took no more than ten minutes. The network is kept in `networks` in `--out`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from experiments.running.options import check_runs, command, positive, run_parser
from experiments.running.row import Row, Settings
from functional_nn import models

SETTINGS = Settings(3e-3, epochs=22, weight_decay=0.1, batch_size=64, shift=2)
RESNET = Row("small_resnet", "a small residual network", models.small_resnet, SETTINGS)


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("resnet", __doc__, default_seeds=1, default_workers=1)
    parser.add_argument("--epochs", type=positive, default=SETTINGS.epochs, metavar="N", help="default: %(default)s")
    return parser


@command(_parser(), check_runs)
def main(options: argparse.Namespace) -> None:
    from experiments.single import train_one  # needs the extra

    row = replace(RESNET, settings=replace(SETTINGS, epochs=options.epochs))
    train_one(options, row, "A small residual network", held_out=True)


if __name__ == "__main__":
    main()
