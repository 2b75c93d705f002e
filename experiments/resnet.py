"""A small residual network on one's own images: python -m experiments.resnet --data DIR

`models.small_resnet` shows that the parts compose: convolutions with strides, group norm, SiLU, residual blocks, the
mean over positions. AdamW along a cosine, images mirrored and shifted at random; the settings are those that
`experiments.search` found for the improved LeNet-5, with as many epochs as fit ten minutes.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.running import options
from experiments.running.row import Row, Settings
from experiments.single import train_one
from functional_nn import models

SETTINGS = Settings(3e-3, epochs=22, weight_decay=0.1, batch_size=64, shift=2)
RESNET = Row("small_resnet", "a small residual network", models.small_resnet, SETTINGS)


def main(arguments: list[str] | None = None) -> None:
    parser = options.parser("resnet", __doc__, default_seeds=1)
    add = parser.add_argument
    add("--epochs", type=options.positive, default=SETTINGS.epochs, metavar="N", help="default: %(default)s")
    parser.set_defaults(workers=1)  # one run at a time, on all cores
    given = parser.parse_args(arguments)
    with options.reported(parser):
        row = replace(RESNET, settings=replace(SETTINGS, epochs=given.epochs))
        train_one(given, row, "A small residual network", held_out=True)


if __name__ == "__main__":
    main()
