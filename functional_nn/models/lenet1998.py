"""LeNet-5 as it was (LeCun, Bottou, Bengio and Haffner 1998, section II-B): its own subsampling, connections, outputs.

    input 32x32 -> C1 conv 5x5, 6 -> S2 subsampling -> C3 conv 5x5, 16, by table I -> S4 subsampling
    -> C5 conv 5x5, 120 -> F6 dense 84 -> 10 radial basis functions, one a digit

Scaled tanh after each but the last; 60,000 parameters. An output is a penalty, the squared distance of F6 from the
digit's own picture of 7x12 points (eq. 7), so the smallest wins, and `penalty_loss` is the paper's (eq. 9).
"""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np

from functional_nn import compose, layers
from functional_nn.layer import (
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    check_cotangent,
    check_floats,
    check_image,
    check_params,
    configured,
)
from functional_nn.layers import conv, pool
from functional_nn.losses import Loss
from functional_nn.losses._loss import LossPullback, as_labels, check_outputs, loss_of
from functional_nn.models.glyphs import GLYPHS

__all__ = ["lenet5_1998", "penalty_loss"]

# Table I: a row is a map of S2, a column one of C3, which reads the maps of S2 that are marked.
CONNECTIONS = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""
NAMES = frozenset({"w", "b"})


def lenet5_1998() -> Layer:
    """Return LeNet-5 of 1998 for images (n, 32, 32, 1) of digits: outputs (n, 10) are penalties, the smallest wins.

    Parameters: c1, s2, c3, s4, c5, f6; the radial basis functions are fixed. Train it with `penalty_loss()`.
    """
    parts = {
        "c1": layers.conv2d(6, 5, w_init=fan_in_uniform),
        "a1": layers.scaled_tanh,
        "s2": subsampling(),
        "a2": layers.scaled_tanh,
        "c3": connected_conv(),
        "a3": layers.scaled_tanh,
        "s4": subsampling(),
        "a4": layers.scaled_tanh,
        "c5": layers.conv2d(120, 5, w_init=fan_in_uniform),
        "a5": layers.scaled_tanh,
        "flat": layers.flatten(),
        "f6": layers.dense(84, w_init=fan_in_uniform),
        "a6": layers.scaled_tanh,
        "output": radial_basis(),
    }
    return compose.sequence("lenet5_1998", {}, parts)


def fan_in_uniform(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from U(-2.4 / F, 2.4 / F), F the unit's number of inputs (section II-B, after eq. 6)."""
    limit = 2.4 / math.prod(shape[:-1])
    return (limit * (2.0 * rng.random(shape) - 1.0)).astype(np.float32)


def subsampling() -> Layer:
    """Return S2's and S4's layer: the sum of each 2x2 window times the channel's w, plus its b; (n, h, w, c) to halves.

    Parameters: w (c,), b (c,).
    """
    shape = partial(pool.max_pool_output_shape, window=2)
    return Layer("subsampling", init=_sub_init, output_shape=shape, apply=_sub_apply, vjp=_sub_vjp, config={})


def _sub_init(rng: np.random.Generator, input_shape: Shape) -> Params:
    check_image("subsampling", input_shape)
    c = input_shape[2]
    limit = 2.4 / 4.0
    return {"w": (limit * (2.0 * rng.random(c) - 1.0)).astype(np.float32), "b": np.zeros(c, np.float32)}


def _sub_apply(params: Params, x: np.ndarray) -> np.ndarray:
    return _sub_vjp(params, x)[0]


def _sub_vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
    check_params("subsampling", params, NAMES)
    w, b = params["w"], params["b"]
    check_floats("subsampling", x, w, b)
    if x.shape[-1:] != w.shape or w.shape != b.shape:
        raise ShapeError("subsampling", f"x has shape {x.shape}, w {w.shape}, b {b.shape}: expected one a channel")
    mean, mean_pullback = pool.avg_pool_vjp({}, x, window=2, wrt_x=wrt_x)
    y = mean * (4.0 * w)
    y += b
    shape, dtype = y.shape, y.dtype

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("subsampling", dy, shape, dtype)
        dparams = {"w": 4.0 * (dy * mean).sum(axis=(0, 1, 2)), "b": dy.sum(axis=(0, 1, 2))}
        return dparams, mean_pullback(dy * (4.0 * w))[1] if wrt_x else None

    return y, pullback


def connected_conv() -> Layer:
    """Return C3: a 5x5 convolution of 6 maps to 16 with the 60 connections of table I.

    Parameters: w (5, 5, 60), a kernel a connection, and b (16,).
    """
    return Layer(
        "connected_conv",
        init=_connected_init,
        output_shape=partial(conv.output_shape, filters=16, kernel=5),
        apply=_connected_apply,
        vjp=_connected_vjp,
        config={},
    )


@cache
def connections() -> tuple[np.ndarray, np.ndarray]:
    """Return the connections of table I: the maps of S2 (60,) and the maps of C3 (60,) that read them."""
    marks = np.array([row.split() for row in CONNECTIONS.strip().splitlines()]) == "X"
    into, out_of = np.nonzero(marks.T)
    return out_of, into


def _connected_init(rng: np.random.Generator, input_shape: Shape) -> Params:
    check_image("connected_conv", input_shape)
    if input_shape[2] != 6:
        raise ShapeError("connected_conv", f"input is {input_shape}, table I connects 6 maps")
    _, into = connections()
    limits = 2.4 / (25.0 * np.bincount(into)[into])
    w = limits * (2.0 * rng.random((5, 5, len(into))) - 1.0)
    return {"w": w.astype(np.float32), "b": np.zeros(16, np.float32)}


def _whole_kernel(params: Params) -> Params:
    """Return the parameters of a convolution of all maps: zeros where nothing connects."""
    check_params("connected_conv", params, NAMES)
    out_of, into = connections()
    if params["w"].shape != (5, 5, len(into)):
        raise ShapeError("connected_conv", f"w has shape {params['w'].shape}, expected (5, 5, {len(into)})")
    w = np.zeros((5, 5, 6, 16), params["w"].dtype)
    w[:, :, out_of, into] = params["w"]
    return {"w": w, "b": params["b"]}


def _connected_apply(params: Params, x: np.ndarray) -> np.ndarray:
    return conv.apply(_whole_kernel(params), x)


def _connected_vjp(
    params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    y, whole_pullback = conv.vjp(_whole_kernel(params), x, wrt_x=wrt_x)
    out_of, into = connections()

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dparams, dx = whole_pullback(dy)
        return {"w": dparams["w"][:, :, out_of, into], "b": dparams["b"]}, dx

    return y, pullback


def radial_basis() -> Layer:
    """Return the output layer (n, 84) -> (n, 10): y_i = sum_j (x_j - c_ij)^2, c_i a digit's picture in +-1 (eq. 7)."""
    return configured("radial_basis", {}, output_shape=_radial_shape, apply=_radial_apply, vjp=_radial_vjp)


@cache
def codes() -> np.ndarray:
    """Return the pictures as codes (10, 84), +1 where a point is set and -1 elsewhere; not to be written."""
    pictures = [[1.0 if point == "#" else -1.0 for row in glyph for point in row] for glyph in GLYPHS]
    table = np.array(pictures)
    table.flags.writeable = False
    return table


def _radial_shape(input_shape: Shape) -> Shape:
    if input_shape != (84,):
        raise ShapeError("radial_basis", f"input is {input_shape}, the pictures have 7x12 points: expected (84,)")
    return (10,)


def _radial_apply(params: Params, x: np.ndarray) -> np.ndarray:
    return _radial_vjp(params, x)[0]


def _radial_vjp(
    params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    check_params("radial_basis", params)
    check_floats("radial_basis", x)
    _radial_shape(x.shape[1:])
    c = codes().astype(x.dtype)
    away = x[:, np.newaxis] - c  # (n, 10, 84)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("radial_basis", dy, (len(x), 10), x.dtype)
        return {}, 2.0 * np.einsum("ni,nij->nj", dy, away) if wrt_x else None

    return np.einsum("nij,nij->ni", away, away), pullback


def penalty_loss(rubbish: float = 0.1) -> Loss:
    """Return the loss of penalties (n, classes) and labels (n,): y_label + log(e^-j + sum_i e^-y_i), j = `rubbish`.

    The mean over the batch (eq. 9): the penalty of the right class, and how likely the wrong ones and a class of
    rubbish are beside it, with its constant penalty j. Derivative: 1 at the label, less e^-y_i over the sum.
    The smallest output is a hit. Raises `ValueError` for a j that is not above 0.
    """
    if not 0.0 < rubbish < math.inf:
        raise ValueError(f"penalty_loss: rubbish is {rubbish!r}, expected a finite number above 0")
    return loss_of("penalty_loss", _penalty_vjp, smallest_hit, rubbish=rubbish)


def smallest_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether the smallest output is the label."""
    return np.asarray(outputs.argmin(axis=1) == targets)


def _penalty_vjp(outputs: np.ndarray, targets: np.ndarray, *, rubbish: float) -> tuple[float, LossPullback]:
    check_outputs("penalty_loss", outputs)
    n = len(outputs)
    at = (np.arange(n), as_labels("penalty_loss", outputs, targets))
    least = np.minimum(outputs.min(axis=1, keepdims=True), rubbish)  # what is taken out, so that nothing underflows
    exps = np.exp(least - outputs)
    total = np.exp(least - rubbish) + exps.sum(axis=1, keepdims=True)
    terms = outputs[at] - least[:, 0] + np.log(total[:, 0])

    def pullback(dvalue: float) -> np.ndarray:
        doutputs = exps / -total
        doutputs[at] += 1.0
        doutputs *= float(dvalue) / n
        return doutputs

    return float(terms.sum(dtype=np.float64)) / n, pullback
