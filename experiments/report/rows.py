"""The rows of the report's tables: the network of each, and the settings that train it.

There are two tables of settings. TUNED has for each row the settings with the best accuracy on held-out and validation
data among the trials in search/searched.json (`python -m experiments.search` repeats them). REPORTED has the report's
own settings, without the defects of its code.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from experiments.running.row import Row, Settings
from functional_nn import layers, models, optim

REPORT_BATCH = 128
FEW_IMAGES = 10_000  # with fewer training images, tuned batches are a quarter as large, for enough steps an epoch


def heavy_ball(rate: float, weight_decay: float = 0.0) -> optim.Transform:
    """Return the report's optimizer: v <- 0.8 v + 0.2 g, p <- p - rate v - weight_decay p, g summed over its batch.

    `fit` gives the mean over the batch, hence the factor; a smaller last batch counts as much as a whole one.
    """
    step = 0.2 * REPORT_BATCH * rate
    return optim.sgd(step, momentum=0.8, weight_decay=weight_decay / step)


def plain(rate: float, weight_decay: float = 0.0) -> optim.Transform:
    """Return gradient descent with the gradient summed over the report's batch."""
    return optim.sgd(REPORT_BATCH * rate, weight_decay=weight_decay)


PERCEPTRON = partial(models.two_layer_perceptron, 64)
ROWS = (
    Row("perceptron_sigmoid", "two-layer perceptron, sigmoid", PERCEPTRON, on_features=True),
    Row(
        "perceptron_own",
        "two-layer perceptron, the author's own activation",
        partial(PERCEPTRON, activation=layers.asinh_unit),
        on_features=True,
    ),
    Row("sklearn_perceptron", "scikit-learn's Perceptron, one layer", on_features=True),
    Row("lenet5", "LeNet-5, random convolutions", models.lenet5, frozen=True),
    Row("lenet5_grad", "LeNet-5", models.lenet5),
    Row("improved", "improved LeNet-5, random convolutions", models.improved_lenet5, frozen=True),
    Row("improved_grad", "improved LeNet-5", models.improved_lenet5),
    Row("lenet5_relu", "LeNet-5 with ReLU", partial(models.lenet5, activation=layers.relu)),
)

TUNED = {
    "perceptron_sigmoid": Settings(2e-3, epochs=30, weight_decay=0.3, shift=0),
    "perceptron_own": Settings(4e-3, epochs=30, weight_decay=0.3, shift=0),
    "lenet5": Settings(3e-3, epochs=30, shift=0),
    "lenet5_grad": Settings(3e-3, epochs=30, batch_size=64),
    "improved": Settings(3e-3, epochs=30, weight_decay=0.1),
    "improved_grad": Settings(3e-3, epochs=30, weight_decay=0.1, batch_size=64),
    "lenet5_relu": Settings(3e-3, epochs=30, weight_decay=0.1),
}

# That the report's perceptrons used plain descent and summed gradients is a guess from its LeNets; the other settings
# are the report's. Its LeNets' learning rate is not recorded: of the rates tried, this one gives losses nearest to its
# records (the "rates" of searched.json; `python -m experiments.search --rates` repeats them).
_PERCEPTRON = Settings(0.001, epochs=200, batch_size=REPORT_BATCH, shift=0, flip=False, cosine=False, optimizer=plain)
_LENET = replace(_PERCEPTRON, epochs=30, weight_decay=3e-5, unit_variance=False, optimizer=heavy_ball)
REPORTED = {row.name: _PERCEPTRON if row.on_features else _LENET for row in ROWS if row.network}


def rows_as(mode: str, *, epochs: int | None = None, training_images: int = FEW_IMAGES) -> list[Row]:
    """Return all rows with the settings of `mode`, "tuned" or "report"; `epochs` overrides theirs."""
    table = {"tuned": TUNED, "report": REPORTED}[mode]
    few = mode == "tuned" and training_images < FEW_IMAGES
    return [_with_settings(row, table.get(row.name), epochs, few) for row in ROWS]


def _with_settings(row: Row, settings: Settings | None, epochs: int | None, few: bool) -> Row:
    if settings is None:
        return row
    return replace(
        row,
        settings=replace(
            settings,
            epochs=epochs or settings.epochs,
            batch_size=settings.batch_size // 4 if few else settings.batch_size,
        ),
    )
