"""The loss of LeNet-5 of 1998, of penalties (LeCun et al. 1998, section II-C)."""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import positive
from functional_nn.loss import Loss, LossPullback, as_labels
from functional_nn.value import constructor

__all__ = ["penalty_loss"]


@constructor(rubbish=positive)
def penalty_loss(rubbish: float = 0.1) -> Loss:
    """Return the loss of penalties (n, classes) and labels (n,): y_label + log(e^-j + sum_i e^-y_i), j = `rubbish`.

    The mean over the batch (eq. 9): the penalty of the right class, and how likely the wrong ones and a class of
    rubbish are beside it, with its constant penalty j. Derivative: 1 at the label, less e^-y_i over the sum.
    The smallest output is a hit. Raises `ValueError` for a j that is not above 0.

    >>> loss = models.penalty_loss(rubbish=0.1)
    >>> round(loss.apply(np.array([[0.0, 50.0]]), np.array([0])), 4)  # log(e^-0.1 + 1)
    0.6444
    >>> loss.hits(np.array([[0.0, 50.0]]), np.array([0]))
    array([ True])
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        n = len(outputs)
        at = (np.arange(n), as_labels("penalty_loss", outputs, targets))
        least, exps, total = _likelihoods(outputs, rubbish)
        terms = outputs[at] - least[:, 0] + np.log(total[:, 0])

        def pullback(dvalue: float) -> np.ndarray:
            doutputs = exps / -total
            doutputs[at] += 1.0
            doutputs *= float(dvalue) / n
            return doutputs

        return float(terms.sum(dtype=np.float64)) / n, pullback

    def scores(outputs: np.ndarray) -> np.ndarray:
        """Return e^-y_i over their sum and that of rubbish: what is left of 1 is the chance of rubbish."""
        _, exps, total = _likelihoods(outputs, rubbish)
        return exps / total

    return Loss("penalty_loss", vjp=vjp, hits=smallest_hit, scores=scores)


def smallest_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether the smallest output is the label."""
    return np.asarray(outputs.argmin(axis=1) == targets)


def _likelihoods(outputs: np.ndarray, rubbish: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the smallest penalty m (n, 1), e^(m - y) and the sum of these and of rubbish: so nothing underflows."""
    least = np.minimum(outputs.min(axis=1, keepdims=True), rubbish)
    exps = np.exp(least - outputs)
    return least, exps, np.exp(least - rubbish) + exps.sum(axis=1, keepdims=True)
