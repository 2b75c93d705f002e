"""Check what PyTorch's `backward` gives: of a function, an `autograd.Function` or a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.extras import needs_extra
from functional_nn.keys import Key
from functional_nn.testing.engine import check_problem
from functional_nn.testing.names import argument_names, name_of
from functional_nn.testing.problem import Problem, of_function
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["check_torch"]

WORDS = ("f under no_grad", "f with gradients")


def check_torch(f: Callable[..., Any], *tensors: Any, seed: Key = 0, full: bool = False) -> None:
    """Return None if PyTorch's gradients of f at these tensors are its derivatives, else raise `GradientError`.

    - `f`: a function, the `apply` of an `autograd.Function`, or an `nn.Module`. It returns a tensor, or tuples, lists
      and dicts of them; whole numbers among them are left out.
    - `tensors`: those with `requires_grad` are differentiated by, and so are a module's parameters that require it. All
      others, and arguments that are no tensors, are fixed.
    - `full`: compare the whole Jacobian entry by entry.

    Tensors are float64, or float32 throughout: then the derivatives are measured with float64 copies of all tensors,
    parameters and buffers, and the float32 gradients are compared with those. Nothing that is given is changed: neither
    a module's dtype nor its buffers (`torch.func.functional_call`). Random numbers, as in dropout, are the same in
    every call, those that the next call would draw, and torch's generator is left as it was.

    Raises `TypeError` for other dtypes, `ValueError` where nothing requires a gradient, `ImportError` without PyTorch
    (extra `torch`), and whatever f raises.

    >>> import torch
    >>> fnn.testing.check_torch(torch.sin, torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True))
    """
    with needs_extra("torch", "check_torch"):
        import torch
    check_problem(_of_torch(_called(torch, f, tensors)), keys.generator(seed), full=full)


@dataclass(frozen=True)
class Call:
    """A call of f: its arguments, and the parameters and buffers of a module, by their names."""

    torch: Any
    f: Callable[..., Any]
    name: str
    arguments: dict[str, Any]
    state: dict[str, Any]

    @property
    def free(self) -> dict[str, Any]:
        """The tensors that are differentiated by, those of the module first."""
        every = {**self.state, **self.arguments}
        return {
            key: value for key, value in every.items() if isinstance(value, self.torch.Tensor) and value.requires_grad
        }

    def run(self, moved: Mapping[str, Any]) -> list[Any]:
        """Return the outputs that can be differentiated, with other tensors in place of the free ones."""
        dtype = next(iter(moved.values())).dtype
        arguments = {key: moved.get(key, self._copy(value, dtype)) for key, value in self.arguments.items()}
        state = {key: moved.get(key, self._copy(value, dtype)) for key, value in self.state.items()}
        before = {key: self._copy(value, dtype) for key, value in arguments.items()}
        devices = {t.device for t in self.free.values() if t.device.type == "cuda"}
        with self.torch.random.fork_rng(devices=devices):  # every call starts from the same random state
            y = self._call(state, tuple(arguments.values()))
        for key, value in arguments.items():
            self.check_unwritten(key, before[key], value)
        outputs = [part for part in _parts(y) if isinstance(part, self.torch.Tensor)]
        for part in outputs:
            if part.is_complex():
                raise TypeError(
                    f"{self.name}.y is {part.dtype}: return torch.view_as_real of it, whose numbers are real"
                )
        floats = [part for part in outputs if part.is_floating_point()]
        if not floats:
            raise TypeError(f"{self.name} returns no tensor of floats: there is nothing to differentiate")
        return floats

    def backward(self, outputs: list[Any], inputs: list[Any], dy: Any) -> tuple[np.ndarray, ...]:
        """Return the gradients by the inputs; where autograd knows of no dependence, they are 0."""
        cotangents = [self.torch.tensor(d, device=y.device) for d, y in zip(as_tuple(dy), outputs, strict=True)]
        pairs = [(y, d) for y, d in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not pairs:
            return tuple(np.zeros(t.shape, as_array(t).dtype) for t in inputs)
        kept = [d.clone() for d in cotangents]
        gradients = self.torch.autograd.grad(
            [y for y, _ in pairs], inputs, [d for _, d in pairs], retain_graph=True, allow_unused=True
        )
        for d, before in zip(cotangents, kept, strict=True):
            self.check_unwritten("dy", before, d)
        zeros = (self.torch.zeros_like(t) for t in inputs)
        return tuple(as_array(zero if g is None else g) for g, zero in zip(gradients, zeros, strict=True))

    def check_unwritten(self, path: str, before: Any, after: Any) -> None:
        """Raise `GradientError` where a tensor was written to."""
        if not isinstance(after, self.torch.Tensor):
            return
        if not np.array_equal(as_array(before), as_array(after), equal_nan=True):
            message = "  It was overwritten in place: work on a copy."
            raise GradientError(Verdict.WRITTEN, message, f"{self.name}.{path}")

    def tensors(self, arrays: tuple[np.ndarray, ...]) -> dict[str, Any]:
        """Return new tensors in place of the free ones."""
        pairs = zip(self.free.items(), arrays, strict=True)
        return {key: self.torch.tensor(array, device=tensor.device) for (key, tensor), array in pairs}

    def _copy(self, value: Any, dtype: Any) -> Any:
        if not isinstance(value, self.torch.Tensor):
            return value
        copy = value.detach().clone()
        return copy.to(dtype) if copy.is_floating_point() else copy

    def _call(self, state: dict[str, Any], arguments: tuple[Any, ...]) -> Any:
        if isinstance(self.f, self.torch.nn.Module):
            return self.torch.func.functional_call(self.f, state, arguments)
        return self.f(*arguments)


def _of_torch(call: Call) -> Problem:
    for path, argument in call.arguments.items():
        parts = () if isinstance(argument, call.torch.Tensor) else _parts(argument)
        if any(isinstance(part, call.torch.Tensor) and part.requires_grad for part in parts):
            raise TypeError(
                f"{call.name}.{path} holds tensors that require a gradient: make each an argument of its own"
            )
    if not call.free:
        raise ValueError(f"{call.name}: no tensor requires a gradient: make those to check by requires_grad=True")
    for path, tensor in call.free.items():
        if tensor.dtype not in (call.torch.float32, call.torch.float64):
            raise TypeError(f"{call.name}.{path} is {tensor.dtype}, expected float64 (or float32 throughout)")

    def value(*arrays: np.ndarray) -> Any:
        with call.torch.no_grad():
            return _single([as_array(y) for y in call.run(call.tensors(arrays))])

    def vjp(*arrays: np.ndarray) -> Any:
        moved = {key: tensor.requires_grad_() for key, tensor in call.tensors(arrays).items()}
        outputs = call.run(moved)
        return _single([as_array(y) for y in outputs]), lambda dy: call.backward(outputs, list(moved.values()), dy)

    problem = of_function(call.name, list(call.free), value, vjp, [as_array(t) for t in call.free.values()])
    lengths = [(len(t), f"the length of {key}") for key, t in call.arguments.items() if key in call.free and t.ndim]
    return replace(problem, words=WORDS, axis=lengths[0] if lengths else problem.axis)


def _called(torch: Any, f: Callable[..., Any], arguments: tuple[Any, ...]) -> Call:
    """Return the call, with the names that f has and that its arguments have in its signature."""
    if isinstance(f, torch.nn.Module):
        state = {**dict(f.named_parameters()), **dict(f.named_buffers())}
        plain = argument_names(f.forward, len(arguments))
        names = tuple(f"forward.{name}" if name in state else name for name in plain)
        return Call(torch, f, type(f).__name__, dict(zip(names, arguments, strict=True)), state)
    function: Any = getattr(f, "__self__", None)
    if torch.autograd.Function in getattr(function, "__mro__", ()):
        with_context = function.setup_context is torch.autograd.Function.setup_context
        names = argument_names(function.forward, len(arguments), skip=int(with_context))
        return Call(torch, f, function.__name__, dict(zip(names, arguments, strict=True)), {})
    names = argument_names(f, len(arguments))
    return Call(torch, f, name_of(f), dict(zip(names, arguments, strict=True)), {})


def as_array(tensor: Any) -> np.ndarray:
    """Return a tensor's numbers as an array of their own."""
    return np.array(tensor.detach().cpu().numpy())


def as_tuple(dy: Any) -> tuple[Any, ...]:
    """Return the cotangents of one or several outputs as a tuple."""
    return dy if isinstance(dy, tuple) else (dy,)


def _single(outputs: list[np.ndarray]) -> Any:
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _parts(y: Any) -> Iterator[Any]:
    """Yield what a function returned in tuples, lists and dicts."""
    if isinstance(y, Mapping):
        y = tuple(y.values())
    if isinstance(y, tuple | list):
        for part in y:
            yield from _parts(part)
    else:
        yield y
