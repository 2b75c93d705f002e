"""The report's defects by name, each with its effect on a right network.

Numbers are those of the list of defects of the report's code; "eq." are equations of the report itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import functional_nn as fnn
from experiments.autopsy.defects.activations import (
    sigmoid_by_input,
    silu_eq9,
    silu_eq9_to_the_letter,
    softmax_as_sigmoid,
)
from experiments.autopsy.defects.cross_entropy import cross_entropy
from experiments.autopsy.defects.pool import marked_by_the_whole_batch
from experiments.autopsy.defects.weighted import (
    backward_through_dw,
    drawn_too_wide,
    rotated_over_channels,
    without_weight_gradients,
)
from functional_nn import losses


@dataclass(frozen=True)
class Defect:
    """One defect.

    - `parts` are the kinds of layer, or the parts, that `swap` replaces with wrong ones;
    - `twice`, `naive`: the change to the loss (see `cross_entropy`);
    - `own_means`: each split is centred by its own mean.
    """

    name: str
    title: str
    wrong: str
    right: str
    parts: tuple[str, ...] = ()
    swap: Callable[[fnn.Layer], fnn.Layer] | None = None
    twice: bool = False
    naive: bool = False
    own_means: bool = False


_ALL = (
    Defect(
        "1",
        "sigmoid's derivative at its input",
        "x (1 - x) of the layer's input x",
        "y (1 - y) of its output y",
        ("sigmoid",),
        lambda layer: sigmoid_by_input(),
    ),
    Defect(
        "2",
        "convolutions' gradients dropped",
        "the backward drops the weight and bias gradients, so convolutions keep their random start",
        "both recorded",
        ("conv2d",),
        without_weight_gradients,
    ),
    Defect(
        "3",
        "kernel rotated over its channels",
        "the backward rotates the kernel over its channel axes and pads by k, so the result is shifted by a pixel",
        "both spatial axes flipped, padded by k - 1",
        ("conv2d",),
        rotated_over_channels,
    ),
    Defect(
        "4",
        "softmax twice",
        "the loss applies a softmax to the softmax, and p2 - y is passed on as if to the logits",
        "one softmax, in the loss",
        twice=True,
    ),
    Defect(
        "5",
        "convolutions drawn too wide",
        "weights from N(0, 2 / c_in), biases from N(0, 1): the fan-in lacks k^2, sigmoids saturate",
        "fan-in c_in k^2, zero biases",
        ("conv2d", "dense"),
        drawn_too_wide,
    ),
    Defect(
        "6",
        "each split centred by its own mean",
        "validation and test images are centred by their own mean",
        "the training set's mean for all three",
        own_means=True,
    ),
    Defect(
        "7",
        "hidden softmax as a sigmoid",
        "a softmax over the hidden units, with the sigmoid's elementwise derivative behind it",
        "the sigmoid",
        ("sigmoid",),
        lambda layer: softmax_as_sigmoid(),
    ),
    Defect(
        "8",
        "pooling marks the whole batch's maxima",
        "every image's mask marks the maxima of all images of the batch",
        "each image marks its own maximum",
        ("max_pool",),
        lambda layer: marked_by_the_whole_batch(),
    ),
    Defect(
        "9",
        "softmax without its maximum, float128",
        "exp(z) / sum exp(z) without subtracting the maximum, computed in float128 against overflow",
        "the maximum subtracted first",
        naive=True,
    ),
    Defect(
        "eq. 4",
        "dw2 in place of w2",
        "the hidden layer's cotangent is dw2 dy",
        "it is w2^T dy",
        ("output",),
        backward_through_dw,
    ),
    Defect(
        "eq. 9",
        "SiLU's simplified derivative",
        "s f s, s the sigmoid and f = x s",
        "s + f (1 - s)",
        ("silu",),
        lambda layer: silu_eq9(),
    ),
    Defect(
        "eq. 9 to the letter",
        "SiLU's simplified derivative, as printed",
        "f f f, since the report says: let s(x) = x / (1 + exp(-x))",
        "s + f (1 - s), s the sigmoid",
        ("silu",),
        lambda layer: silu_eq9_to_the_letter(),
    ),
)
CONSTRUCTORS = (
    backward_through_dw,
    cross_entropy,
    drawn_too_wide,
    marked_by_the_whole_batch,
    rotated_over_channels,
    sigmoid_by_input,
    silu_eq9,
    silu_eq9_to_the_letter,
    softmax_as_sigmoid,
    without_weight_gradients,
)
DEFECTS = {defect.name: defect for defect in _ALL}


def with_defects(model: fnn.Layer, names: Sequence[str]) -> fnn.Layer:
    """Return the serial `model` with the wrong layers of these defects, applied one after another.

    Raises `ValueError` for a defect whose layers the model does not have.
    """
    parts = dict(model.parts)
    for defect in (DEFECTS[name] for name in names):
        if defect.swap is None:
            continue
        touched = [name for name, part in model.parts if {name, part.name} & set(defect.parts)]
        if not touched:
            raise ValueError(f"{model!r} has no {' and no '.join(defect.parts)}, which defect {defect.name} changes")
        parts |= {name: defect.swap(parts[name]) for name in touched}
    return fnn.serial(**parts)


def loss_with_defects(names: Sequence[str]) -> losses.Loss:
    """Return softmax cross-entropy with those of these defects that change the loss."""
    defects = [DEFECTS[name] for name in names]
    twice, naive = any(d.twice for d in defects), any(d.naive for d in defects)
    return cross_entropy(twice=twice, naive=naive) if twice or naive else losses.softmax_cross_entropy
