"""Check what JAX's `vjp` gives, of a `custom_vjp` above all, whose rules are written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.dtypes import FLOATS
from functional_nn.extras import needs_extra
from functional_nn.keys import Key
from functional_nn.testing.engine import check_problem
from functional_nn.testing.names import argument_names, name_of
from functional_nn.testing.problem import Problem, of_function

__all__ = ["check_jax"]


def check_jax(f: Callable[..., Any], *arguments: Any, seed: Key = 0, full: bool = False) -> None:
    """Return None if JAX's gradients of f at these arguments are its derivatives, else raise `GradientError`.

    - `f`: a function of arrays, or of any pytrees of them, such as a `custom_vjp`. It returns a pytree of arrays; whole
      numbers in it are left out. What `fwd` returns must be what f returns.
    - `arguments`: their float64 or float32 arrays, of JAX or NumPy, are differentiated by; whole numbers, booleans and
      random keys are fixed. To fix a float array too, close over it.
    - `full`: compare the whole Jacobian entry by entry.

    Float arrays have one dtype. In float64 f runs with 64 bits enabled, whatever the configuration is, and only within
    the check. In float32 it runs under your configuration, the derivatives are measured with float64 copies as above,
    and the float32 gradients are compared with those.

    Raises `TypeError` for other dtypes, `ImportError` without JAX (extra `jax`), and whatever f raises.

    >>> import jax
    >>> fnn.testing.check_jax(jax.numpy.sin, np.array([0.5, 2.0]))
    """
    with needs_extra("jax", "check_jax"):
        import jax
    check_problem(_of_jax(jax, f, arguments), keys.generator(seed), full=full)


@dataclass(frozen=True)
class Call:
    """A call of f: the leaves of its arguments, and the numbers of those that are differentiated by."""

    jax: Any
    f: Callable[..., Any]
    leaves: Sequence[Any]
    structure: Any
    free: Sequence[int]

    def run(self, *moved: Any) -> Any:
        """Return the outputs that can be differentiated, with other leaves in place of the free ones."""
        leaves = list(self.leaves)
        for i, leaf in zip(self.free, moved, strict=True):
            leaves[i] = leaf
        outputs = self.jax.tree_util.tree_leaves(self.f(*self.jax.tree_util.tree_unflatten(self.structure, leaves)))
        arrays = [self.jax.numpy.asarray(y) for y in outputs]
        for y in arrays:
            if self.jax.numpy.issubdtype(y.dtype, self.jax.numpy.complexfloating):
                raise TypeError(f"{name_of(self.f)}.y is {y.dtype}: return its real and imaginary parts, two arrays")
        floats = [y for y in arrays if self.jax.numpy.issubdtype(y.dtype, self.jax.numpy.floating)]
        if not floats:
            raise TypeError(f"{name_of(self.f)} returns no array of floats: there is nothing to differentiate")
        return floats

    def value(self, *arrays: np.ndarray) -> Any:
        """Return the outputs as arrays."""
        with self._bits(arrays):
            return _single(self.run(*map(self.jax.numpy.asarray, arrays)))

    def vjp(self, *arrays: np.ndarray) -> Any:
        """Return the outputs as arrays, and the pullback."""
        with self._bits(arrays):
            outputs, pull = self.jax.vjp(self.run, *map(self.jax.numpy.asarray, arrays))

        def pullback(dy: Any) -> tuple[np.ndarray, ...]:
            with self._bits(arrays):
                cotangents = [self.jax.numpy.asarray(d) for d in (dy if isinstance(dy, tuple) else (dy,))]
                return tuple(np.array(gradient) for gradient in pull(cotangents))

        return _single(outputs), pullback

    def _bits(self, arrays: Sequence[np.ndarray]) -> AbstractContextManager[Any]:
        if arrays[0].dtype == np.float32:
            return nullcontext()
        if hasattr(self.jax, "enable_x64"):
            return self.jax.enable_x64(True)
        from jax.experimental import enable_x64  # where older versions have it

        return enable_x64(True)


def _of_jax(jax: Any, f: Callable[..., Any], arguments: tuple[Any, ...]) -> Problem:
    pairs, structure = jax.tree_util.tree_flatten_with_path(arguments)
    names = argument_names(f, len(arguments))
    paths = [names[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in pairs]
    leaves = [leaf for _, leaf in pairs]
    free = [i for i, leaf in enumerate(leaves) if _is_float(jax, leaf)]
    for i in free:
        if not hasattr(leaves[i], "dtype") or leaves[i].dtype not in FLOATS:
            kind = getattr(leaves[i], "dtype", type(leaves[i]).__name__)
            raise TypeError(f"{name_of(f)}.{paths[i]} is {kind}, expected an array of float64 or float32")
    call = Call(jax, f, leaves, structure, free)
    arrays = [np.array(leaves[i]) for i in free]
    problem = of_function(name_of(f), [paths[i] for i in free], call.value, call.vjp, arrays)
    axis = (len(arrays[0]), f"the length of {paths[free[0]]}") if arrays and arrays[0].ndim else problem.axis
    return replace(problem, words=("f", "its fwd"), axis=axis)


def _is_float(jax: Any, leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return isinstance(leaf, float) if dtype is None else bool(jax.numpy.issubdtype(dtype, jax.numpy.inexact))


def _single(outputs: Sequence[Any]) -> Any:
    arrays = tuple(np.array(y) for y in outputs)
    return arrays[0] if len(arrays) == 1 else arrays
