"""Wrong losses of logits: softmax applied twice (defect 4), and softmax without subtracting the maximum (defect 9).

- 4. The loss applies a softmax to the network's softmax output p1, and passes p2 - y on as if it were the gradient with
  respect to the logits. The entries of p1 lie between 0 and 1, so p2 is nearly uniform for any output: with C classes
  the loss cannot fall below ln(e + C - 1) - 1, which is 2.945 for C = 50. Right: one softmax, in the loss.
- 9. exp(z) / sum exp(z) without subtracting the maximum. It overflows from z = 89 in float32, from 710 in float64. The
  author's remedy, float128 (80 bits on x86), overflows from 11,357 and takes many times as long. Right: subtract the
  maximum first.
"""

from __future__ import annotations

import numpy as np

import functional_nn as fnn
from functional_nn import data, losses


def naive_softmax(logits: np.ndarray, dtype: type[np.floating] = np.longdouble) -> np.ndarray:
    """Return exp(z_k) / sum_j exp(z_j) computed in `dtype`, in the dtype of the logits; overflows to nan."""
    with np.errstate(over="ignore", invalid="ignore"):
        exps = np.exp(logits.astype(dtype))
        return (exps / exps.sum(axis=-1, keepdims=True)).astype(logits.dtype)


@fnn.constructor
def cross_entropy(*, twice: bool = False, naive: bool = False) -> losses.Loss:
    """Return softmax cross-entropy with labels (n,), with defect 4 (`twice`), defect 9 (`naive`), or both."""
    softmax = naive_softmax if naive else losses.softmax

    def probabilities(outputs: np.ndarray) -> np.ndarray:
        return softmax(softmax(outputs)) if twice else softmax(outputs)

    def value(p: np.ndarray, labels: np.ndarray) -> float:
        with np.errstate(divide="ignore"):
            return -float(np.log(p[np.arange(len(p)), labels]).mean(dtype=np.float64))

    def apply(outputs: np.ndarray, labels: np.ndarray) -> float:
        return value(probabilities(outputs), labels)

    def vjp(outputs: np.ndarray, labels: np.ndarray):
        p = probabilities(outputs)
        doutputs = (p - data.one_hot(labels, p.shape[1], p.dtype)) / len(p)
        return value(p, labels), lambda dvalue: dvalue * doutputs

    name = f"cross_entropy{'_of_two_softmaxes' if twice else ''}{'_without_the_maximum' if naive else ''}"
    return losses.Loss(name, apply=apply, vjp=vjp, hits=losses.labels_hit, scores=probabilities)
