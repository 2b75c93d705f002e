"""LeNet-5 on MNIST, or another set of small images: python -m experiments.mnist --data DIR

The plain structure with SiLU, 61,706 parameters for ten classes. It trains with Adam and a learning rate that falls
along a cosine, on images that are shifted at random. There is one network a seed; the outputs of several are not
averaged. No choice rests on test images: a run reads them once, at its end.

How the settings were chosen: the trials in `mnist_trials` (`--trials` repeats them) trained on the first 50,000 of
MNIST's 60,000 training images and were evaluated on the other 10,000. A learning rate of 0.01 and batches of 64 had the
best figure; one seed does not tell the best ones apart. (The last of these came after the test images had been read
once, with batches of 128: 0.9937, the mean of three seeds.) Rotation and scale, an average of the parameters, smoothed
labels and 24 epochs showed no gain there, so the settings stayed. With them the networks train on all 60,000, and there
are no validation figures; with `--hold-out` they leave the validation images (MNIST's last 5,000) out.

`--model lenet5_1998` trains the network of 1998 with its own loss; no search chose its settings.

Every seed's network is kept: `networks` in `--out` holds a file for `fnn.load` of each. A run that was interrupted
continues when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from experiments.running.options import InputError, check_runs, command, positive, run_parser
from experiments.running.row import Row, Settings
from functional_nn import Layer, layers, models


def lenet5_1998(classes: int) -> Layer:
    """Return LeNet-5 of 1998, whose outputs are ten digits."""
    if classes != 10:
        raise InputError(f"lenet5_1998 has ten outputs, one a digit; the data have {classes} classes")
    return models.lenet5_1998()


SETTINGS = Settings(0.01, epochs=12, weight_decay=0.02, batch_size=64, shift=2, flip=False)
LENET5 = Row("lenet5_silu", "LeNet-5 with SiLU", partial(models.lenet5, activation=layers.silu), SETTINGS)
OF_1998 = Row(
    "lenet5_1998",
    "LeNet-5 as it was in 1998",
    lenet5_1998,
    replace(SETTINGS, learning_rate=2e-3),
    loss=models.penalty_loss(),
    smallest_wins=True,
)
MODELS = {"lenet5": LENET5, "lenet5_1998": OF_1998}


def row_of(model: str = "lenet5", *, epochs: int) -> Row:
    """Return the row of a model with its settings, for so many epochs."""
    row = MODELS[model]
    return replace(row, settings=replace(row.settings, epochs=epochs))


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("mnist", __doc__, default_data=None, default_workers=1)
    add = parser.add_argument
    add("--epochs", type=positive, default=SETTINGS.epochs, metavar="N", help="default: %(default)s")
    add("--model", choices=tuple(MODELS), default="lenet5", help="default: %(default)s")
    add("--hold-out", action="store_true", help="do not train on the validation images")
    add("--trials", action="store_true", help="repeat the trials that chose the settings, without the test images")
    return parser


def _check_trials(options: argparse.Namespace) -> None:
    """Raise `InputError` for options that the trials do not follow."""
    for name in ("model", "epochs", "seed", "seeds", "hold_out"):
        if getattr(options, name) != _parser().get_default(name):
            raise InputError(
                f"--trials have a model, seeds and epochs of their own: leave out --{name.replace('_', '-')}"
            )


@command(_parser(), check_runs)
def main(options: argparse.Namespace) -> None:
    if options.trials:
        from experiments.mnist_trials import TRIALS, run_trials

        _check_trials(options)
        run_trials(options, LENET5, TRIALS)
        return
    from experiments.single import train_one  # needs the extra

    row = row_of(options.model, epochs=options.epochs)
    train_one(options, row, "LeNet-5 on small images", held_out=options.hold_out)


if __name__ == "__main__":
    main()
