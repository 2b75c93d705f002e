"""Small layers to check, right and wrong ones, made of formulas; they share no code with the library's layers."""

import numpy as np

from functional_nn import Layer


def elementwise(f, slope, name="toy"):
    """The layer y = f(x) with dx = slope(x) dy."""
    return with_pullback(f, lambda x, dy: slope(x) * dy, name)


def with_pullback(f, pull, name="toy", output_shape=lambda shape: shape):
    """The layer y = f(x) with dx = pull(x, dy)."""

    def vjp(params, x, *, key=None, wrt_x=True):
        return f(x), lambda dy: ({}, pull(x, dy) if wrt_x else None)

    return Layer(name, apply=lambda params, x: f(x), vjp=vjp, output_shape=output_shape)


def affine(d_out, mistake=lambda dw, db, dx: (dw, db, dx)):
    """The layer y = x w + b to `d_out` outputs; `mistake(dw, db, dx)` returns what its pullback gives instead."""

    def apply(params, x):
        return x @ params["w"] + params["b"]

    def vjp(params, x, *, key=None, wrt_x=True):
        def pullback(dy):
            dw, db, dx = mistake(x.T @ dy, dy.sum(axis=0), dy @ params["w"].T)
            return {"w": dw, "b": db}, dx if wrt_x else None

        return apply(params, x), pullback

    return Layer("affine", apply=apply, vjp=vjp, output_shape=lambda shape: (d_out,), parameters=("w", "b"))


def affine_point(n, d_in, d_out, seed=0):
    """Parameters and inputs for `affine(d_out)`."""
    rng = np.random.default_rng(seed)
    params = {"w": rng.standard_normal((d_in, d_out)), "b": rng.standard_normal(d_out)}
    return params, rng.standard_normal((n, d_in))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)
