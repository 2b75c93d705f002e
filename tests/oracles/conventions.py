"""The rows of docs/conventions.md, and what the tests of its two columns share."""

import re
from pathlib import Path

import numpy as np

from functional_nn import optim

TABLE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \|", TABLE, flags=re.MULTILINE)[1:]
X = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
MARGINS = ((1, 0), (0, 2))


class Claims(dict):
    """The tests of one column, by row."""

    def claim(self, row):
        """Register the test of the row of this name."""

        def register(test):
            assert row not in self, f"two tests of {row}"
            self[row] = test
            return test

        return register


def slope(layer, x):
    """The layer's derivative at each entry of a vector."""
    return layer.vjp({}, np.array(x))[1](np.ones(len(x)))[1].tolist()


def steps(optimizer, gradients, start=1.0):
    """Where our optimizer takes a parameter of one entry."""
    params = {"p": np.array([start])}
    state = optimizer.init(params)
    for g in gradients:
        updates, state = optimizer.update({"p": np.array([g])}, state, params)
        params = optim.apply_updates(params, updates)
    return params["p"].item()
