"""Optimizers: chains of transformations that end with the learning rate; their weight decay is decoupled."""

from __future__ import annotations

from functional_nn.arguments import flag, fraction, not_negative, positive
from functional_nn.optim.schedules import Schedule
from functional_nn.optim.transforms import (
    Transform,
    add_decayed_weights,
    rate_or_schedule,
    scale_by_adagrad,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_rms,
    trace,
)
from functional_nn.optim.wrappers import chain
from functional_nn.value import constructor

__all__ = ["adagrad", "adam", "rmsprop", "sgd"]


@constructor(learning_rate=rate_or_schedule, momentum=fraction, nesterov=flag, weight_decay=not_negative)
def sgd(
    learning_rate: float | Schedule, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> Transform:
    """Return stochastic gradient descent: v <- momentum v + g, p <- p - learning_rate (v + weight_decay p).

    With `nesterov`, g + momentum v stands in place of v (Sutskever et al. 2013). Raises `ValueError` for a momentum
    outside [0, 1), or a negative rate or decay.

    >>> optimizer = optim.sgd(0.1, momentum=0.9)
    >>> params, grads = {"w": np.array([1.0])}, {"w": np.array([2.0])}
    >>> updates, state = optimizer.update(grads, optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)
    {'w': array([0.8])}
    """
    if nesterov and momentum == 0.0:
        raise ValueError("sgd: nesterov=True needs a momentum above 0, got 0.0")
    first = [trace(momentum, nesterov)] if momentum else []
    return _descent(first, learning_rate, weight_decay)


@constructor(learning_rate=rate_or_schedule, b1=fraction, b2=fraction, eps=positive, weight_decay=not_negative)
def adam(
    learning_rate: float | Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Transform:
    """Return Adam (Kingma and Ba 2015), with `weight_decay` AdamW (Loshchilov and Hutter 2019, algorithm 2).

    p <- p - learning_rate (m^ / (sqrt(v^) + eps) + weight_decay p). Raises `ValueError` for b1 or b2 outside [0, 1).

    >>> optimizer = optim.adam(0.1)
    >>> params, grads = {"w": np.array([1.0])}, {"w": np.array([2.0])}
    >>> updates, state = optimizer.update(grads, optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)["w"].round(6)  # the first step is of the rate's size
    array([0.9])
    """
    return _descent([scale_by_adam(b1, b2, eps)], learning_rate, weight_decay)


@constructor(learning_rate=rate_or_schedule, decay=fraction, eps=positive, momentum=fraction, weight_decay=not_negative)
def rmsprop(
    learning_rate: float | Schedule,
    decay: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Transform:
    """Return RMSProp (Tieleman and Hinton 2012): u <- momentum u + g / (sqrt(v) + eps), v the average of g^2.

    p <- p - learning_rate (u + weight_decay p). Raises `ValueError` for a decay or momentum outside [0, 1).

    >>> optimizer = optim.rmsprop(0.01, decay=0.99)
    >>> params, grads = {"w": np.array([1.0])}, {"w": np.array([2.0])}
    >>> updates, state = optimizer.update(grads, optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)["w"].round(6)  # 1 - 0.01 * 2 / sqrt(0.01 * 4)
    array([0.9])
    """
    first = [scale_by_rms(decay, eps), *([trace(momentum)] if momentum else [])]
    return _descent(first, learning_rate, weight_decay)


@constructor(learning_rate=rate_or_schedule, eps=positive, weight_decay=not_negative)
def adagrad(learning_rate: float | Schedule, eps: float = 1e-10, weight_decay: float = 0.0) -> Transform:
    """Return AdaGrad (Duchi et al. 2011), s the sum of g^2 so far.

    p <- p - learning_rate (g / (sqrt(s) + eps) + weight_decay p).

    >>> optimizer = optim.adagrad(0.1)
    >>> params, grads = {"w": np.array([1.0])}, {"w": np.array([2.0])}
    >>> updates, state = optimizer.update(grads, optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)["w"].round(6)  # 1 - 0.1 * 2 / sqrt(4)
    array([0.9])
    """
    return _descent([scale_by_adagrad(eps)], learning_rate, weight_decay)


def _descent(first: list[Transform], learning_rate: float | Schedule, weight_decay: float) -> Transform:
    decay = [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(*first, *decay, scale_by_learning_rate(learning_rate))
