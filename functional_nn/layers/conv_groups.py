"""Convolutions in groups and with holes, made of plain ones: a group is a plain convolution of its own channels.

With `groups`, filter o of group i reads the channels of group i alone (Krizhevsky et al. 2012, section 3.5); as many
groups as channels are a depthwise convolution (Howard et al. 2017, section 3.1). With `dilation` d, neighbouring taps
of the kernel stand d pixels apart (Yu and Koltun 2016, eq. 2): a kernel with d - 1 zeros between them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from functional_nn.arguments import Pair, as_pair
from functional_nn.layer import Params, Pullback, ShapeError
from functional_nn.layers._memory import empty_in_order, memory_order

Vjp = Callable[[Params, np.ndarray], tuple[np.ndarray, Pullback]]


def spread_size(kernel: Pair, dilation: Pair) -> tuple[int, int]:
    """Return (height, width) of the kernel with its holes, (k - 1) dilation + 1."""
    (kh, kw), (dh, dw) = as_pair(kernel), as_pair(dilation)
    return (kh - 1) * dh + 1, (kw - 1) * dw + 1


def check_groups(channels: int, filters: int, groups: int) -> None:
    """Raise `ShapeError` unless the groups divide the channels and the filters."""
    if channels % groups or filters % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} channels and {filters} filters evenly")


def grouped_vjp(plain: Vjp, params: Params, x: np.ndarray, groups: int, dilation: Pair) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback of the groups' plain convolutions, `plain(params, x)`, side by side."""
    w, b = params["w"], params["b"]
    channels, filters = x.shape[3] // groups, w.shape[3] // groups
    of_x = [(..., slice(i * channels, (i + 1) * channels)) for i in range(groups)]
    of_y = [(..., slice(i * filters, (i + 1) * filters)) for i in range(groups)]
    spread = _spread(w, dilation)
    results = [plain({"w": spread[out], "b": b[out]}, x[into]) for into, out in zip(of_x, of_y, strict=True)]
    first = results[0][0]
    y = empty_in_order(memory_order(first), (*first.shape[:3], w.shape[3]), x.dtype)
    for out, (part, _) in zip(of_y, results, strict=True):
        y[out] = part

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dw, db, dx = np.empty_like(w), np.empty_like(b), None
        row, column = as_pair(dilation)
        for into, out, (_, part_pullback) in zip(of_x, of_y, results, strict=True):
            dparams, part_dx = part_pullback(dy[out])
            dw[out], db[out] = dparams["w"][::row, ::column], dparams["b"]
            if part_dx is not None:
                dx = empty_in_order(memory_order(part_dx), x.shape, x.dtype) if dx is None else dx
                dx[into] = part_dx
        return {"w": dw, "b": db}, dx

    return y, pullback


def _spread(w: np.ndarray, dilation: Pair) -> np.ndarray:
    """Return the kernel with zeros in its holes."""
    if dilation == 1:
        return w
    spread = np.zeros((*spread_size(w.shape[:2], dilation), *w.shape[2:]), w.dtype)
    dh, dw = as_pair(dilation)
    spread[::dh, ::dw] = w
    return spread
