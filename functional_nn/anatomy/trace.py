"""One training pass of a batch, looked at layer by layer: the sizes of activations and gradients, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.anatomy.leaves import Path, dotted, numbered, replace_leaves
from functional_nn.anatomy.saturation import is_elementwise, saturated_share
from functional_nn.anatomy.table import table
from functional_nn.arguments import array
from functional_nn.layer import Layer, Params, Pullback
from functional_nn.loss import Loss, check_loss

__all__ = ["NotFinite", "Trace", "TraceRow", "trace"]

HEAD = ("path", "layer", "output rms", "largest", "gradient rms", "by parameters", "saturated", "dead")


class TraceRow(NamedTuple):
    """What passes one layer without parts. A figure that the layer has no notion of is None.

    - `path`, `layer`: its dotted path, and the layer as it prints;
    - `output_rms`, `output_largest`: the root mean square and the largest absolute entry of its output;
    - `gradient_rms`: the root mean square of the mean loss's gradient by its output;
    - `parameter_gradient_rms`: that of the gradient by all its parameters that are trained;
    - `saturated`: of an elementwise layer that saturates, the share of the entries of its input at which its derivative
      is below a thousandth of the largest that it has anywhere (under relu, those that are switched off);
    - `dead`: the share of its units whose gradient is zero for every example. A unit is an entry of the last axis: a
      neuron, or a channel with all its positions. The gradient is that by the input for an elementwise layer, so that
      one which is switched off counts as dead, and that by the output for others.
    """

    path: str
    layer: str
    output_rms: float
    output_largest: float
    gradient_rms: float | None
    parameter_gradient_rms: float | None
    saturated: float | None
    dead: float | None


class NotFinite(NamedTuple):
    """Where a value is not finite: the layer's path ("" for the whole model), and what it is a value of.

    `what` is "output" or "gradient" of a layer, "input" or "loss" of the model.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"the {self.what} of {self.path}" if self.path else f"the {self.what}"


@dataclass(frozen=True, repr=False)
class Trace:
    """What `trace` saw: the mean loss, a row a layer, and the first place whose values are not finite, or None.

    It prints as a table.
    """

    loss: float
    rows: tuple[TraceRow, ...]
    first_not_finite: NotFinite | None

    def __repr__(self) -> str:
        lines = [[row.path, row.layer, *map(_number, row[2:6]), *map(_share, row[6:])] for row in self.rows]
        first = self.first_not_finite
        verdict = "all values are finite" if first is None else f"the first values that are not finite: {first}"
        return f"{table(HEAD, lines, left=2)}\nloss {self.loss:.4g}; {verdict}"


def trace(model: Layer, params: Params, x: np.ndarray, targets: np.ndarray, loss: Loss, *, key: keys.Key = 0) -> Trace:
    """Return what passes every layer without parts in a training pass of the batch x (n, ...), and back.

    The rows come in the order in which x passes the layers; their paths are those of `activations`. Gradients are those
    of the mean loss over the batch. `key` is the training pass's, for dropout. `first_not_finite` is the first in the
    order of computation: the input, the outputs forward, the loss, the gradients backward. Whether a layer saturates is
    measured from its pullback. Raises what `model.vjp` and `loss.vjp` raise, `TypeError` for what is no layer, no loss
    or no array.

    >>> model = fnn.serial(f1=layers.dense(2), a1=layers.relu)
    >>> params = {"f1": {"w": np.array([[1.0, -1.0]]), "b": np.zeros(2)}}
    >>> x, labels = np.array([[3.0]]), np.array([0])
    >>> fnn.trace(model, params, x, labels, losses.softmax_cross_entropy)
    path  layer     output rms  largest  gradient rms  by parameters  saturated   dead
    ----------------------------------------------------------------------------------
    f1    dense(2)           3        3        0.0335          0.075             50.0%
    a1    relu            2.12        3        0.0474                     50.0%  50.0%
    loss 0.04859; all values are finite
    """
    check_loss("trace", loss)
    recorder = _Recorder()
    recorder.check_finite("", "input", array("trace", "x", x))
    noting = replace_leaves(model, partial(_noting, model=model, recorder=recorder))
    with np.errstate(all="ignore"):  # what is not finite is what a trace may be after
        outputs, pullback = noting.vjp(params, x, key=key)
        value, loss_pullback = loss.vjp(outputs, targets)
        recorder.check_finite("", "loss", value)
        pullback(loss_pullback(1.0))
    return Trace(value, tuple(recorder.rows.values()), recorder.first)


class _Recorder:
    """The rows as they come to be known, by path, and the first place that is not finite."""

    def __init__(self) -> None:
        self.rows: dict[str, TraceRow] = {}
        self.first: NotFinite | None = None

    def check_finite(self, path: str, what: str, *arrays: Any) -> None:
        if self.first is None and not all(np.isfinite(values).all() for values in arrays):
            self.first = NotFinite(path, what)


def _noting(path: Path, layer: Layer, model: Layer, recorder: _Recorder) -> Layer:
    """Return the leaf as one whose training pass and pullback note what they give."""

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        name = numbered(dotted(model, path), recorder.rows)
        forward = partial(layer.functions.vjp, params, key=key, wrt_x=not layer.integer_input)
        y, pullback = forward(x)
        elementwise = not layer.integer_input and y.shape == x.shape and is_elementwise(forward, x)
        recorder.check_finite(name, "output", y)
        recorder.rows[name] = TraceRow(
            name,
            repr(layer),
            _rms(y),
            float(np.max(np.abs(y), initial=0.0)),
            gradient_rms=None,
            parameter_gradient_rms=None,
            saturated=saturated_share(forward, x, y, pullback) if elementwise else None,
            dead=None,
        )

        def noting_pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams, dx = pullback(dy)
            trained = [gradient for entry in layer.parameters for gradient in tree.leaves(dparams[entry])]
            recorder.check_finite(name, "gradient", dy, *trained)
            recorder.rows[name] = recorder.rows[name]._replace(
                gradient_rms=_rms(dy),
                parameter_gradient_rms=_rms(*trained) if trained else None,
                dead=_dead_share(dx if elementwise and dx is not None else dy),
            )
            return dparams, dx

        return y, noting_pullback

    return layer.replace(vjp=vjp)


def _rms(*arrays: np.ndarray) -> float:
    """Return the root mean square over the entries of all arrays; it neither overflows nor underflows."""
    largest = float(max(np.max(np.abs(values), initial=0.0) for values in arrays))
    size = sum(values.size for values in arrays)
    if not size or not 0.0 < largest < np.inf:
        return largest if size else 0.0
    squares = sum(float(np.square(np.divide(values, largest, dtype=np.float64)).sum()) for values in arrays)
    return largest * float(np.sqrt(squares / size))


def _dead_share(gradient: np.ndarray) -> float:
    by_unit = gradient.reshape(-1, gradient.shape[-1] if gradient.ndim > 1 else 1)
    return float(np.mean(~by_unit.any(axis=0)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
