"""NeuralNetClassifier beside scikit-learn's MLPClassifier: python -m experiments.sklearn_side_by_side

Both have one hidden layer of 64 rectified units, Adam at a rate of 0.001, and standardized inputs, and train in
float64 on four fifths of a data set, stratified, anew for each seed. MLPClassifier runs twice: as it is, with batches
of 200 until its loss rests or 200 epochs have passed, and with the other's batches and epochs. All take turns, so that
a slow minute of the machine meets them alike. It prints a Markdown table: the share of right answers on the last
fifth, mean ± standard deviation over the seeds, and the median of the seconds that fitting takes.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from experiments.running.machine import environment, processor, seconds
from experiments.running.options import answered, positive

HIDDEN = 64
REPEATS = 3  # fits of the same, of which the fastest counts


class Outcome(NamedTuple):
    """The share of right answers on held-out data, and the seconds that fitting took."""

    accuracy: float
    seconds: float


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.sklearn_side_by_side",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=positive, default=5, metavar="N", help="default: %(default)s")
    options = parser.parse_args(arguments)
    with answered(parser):
        print(table(options.seeds))


def table(seeds: int) -> str:
    """Return the table in Markdown, and below it the machine."""
    names = list(contestants(0))  # the estimator says which extra is missing
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    lines = [
        f"| data | examples | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for load in (load_digits, load_breast_cancer, load_wine):
        x, y = load(return_X_y=True)
        outcomes = compared(x, y, seeds)
        cells = " | ".join(shown(outcomes[name]) for name in names)
        lines.append(f"| {load.__name__.removeprefix('load_').replace('_', ' ')} | {len(x):,} | {cells} |")
    facts = environment()
    packages = ", ".join(f"{name} {facts['packages'][name]}" for name in ("numpy", "scikit-learn"))
    return "\n".join([*lines, "", f"{processor()}, {facts['machine']}; Python {facts['python']}, {packages}."])


def contestants(seed: int) -> dict[str, Any]:
    """Return the estimators by their headings."""
    from functional_nn.interop.sklearn import NeuralNetClassifier  # isort: split
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ours = NeuralNetClassifier(hidden=HIDDEN, seed=seed)
    alike = {"batch_size": ours.batch_size, "max_iter": ours.epochs, "n_iter_no_change": ours.epochs}
    return {
        "NeuralNetClassifier": ours,
        "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(HIDDEN, random_state=seed)),
        "MLPClassifier, the same batches and epochs": make_pipeline(
            StandardScaler(), MLPClassifier(HIDDEN, random_state=seed, **alike)
        ),
    }


def compared(x: Any, y: Any, seeds: int) -> dict[str, list[Outcome]]:
    """Return the outcomes of each contestant, one a seed."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split

    outcomes: dict[str, list[Outcome]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of an MLPClassifier that has passed all its epochs
        for seed in range(seeds):
            x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=seed)
            estimators = contestants(seed)
            taken: dict[str, list[float]] = {name: [] for name in estimators}
            for name, estimator in REPEATS * list(estimators.items()):  # in turns
                taken[name] += seconds(fitting(estimator, x_train, y_train), 1, warmup=int(not taken[name]))
            for name, estimator in estimators.items():
                outcome = Outcome(estimator.score(x_test, y_test), min(taken[name]))
                outcomes.setdefault(name, []).append(outcome)
    return outcomes


def fitting(estimator: Any, x: Any, y: Any) -> Callable[[], Any]:
    """Return the call to time."""
    return lambda: estimator.fit(x, y)


def shown(outcomes: list[Outcome]) -> str:
    """Return a cell of the table."""
    accuracies = [outcome.accuracy for outcome in outcomes]
    spread = f" ± {statistics.stdev(accuracies):.3f}" if len(accuracies) > 1 else ""
    return f"{statistics.mean(accuracies):.3f}{spread}, {statistics.median(o.seconds for o in outcomes):.2f} s"


if __name__ == "__main__":
    main()
