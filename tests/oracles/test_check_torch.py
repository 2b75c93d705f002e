"""check_torch judges functions, autograd.Functions and modules, and changes nothing that it is given."""

import pytest

from functional_nn.testing import GradientError, check_torch
from tests.oracles.torch_table import needs_torch, torch

pytestmark = needs_torch


def drawn(*shape, dtype="float64", fixed=False):
    numbers = torch.rand(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64) - 0.4
    return numbers.to(getattr(torch, dtype)).requires_grad_(not fixed)


def error_of(f, *tensors, **options):
    with pytest.raises(GradientError) as caught:
        check_torch(f, *tensors, **options)
    return caught.value


def function(pull, setup=False):
    """The autograd.Function y = x^2 w n; `pull(dy, x, w)` gives the gradients by x and w."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, n):
            ctx.save_for_backward(x, w)
            return n * x**2 * w

        @staticmethod
        def backward(ctx, dy):
            return *pull(dy, *ctx.saved_tensors), None

    class ScaledWithSetup(Scaled):
        @staticmethod
        def forward(x, w, n):
            return n * x**2 * w

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs[:2])

    return (ScaledWithSetup if setup else Scaled).apply


def right(dy, x, w):
    return 6 * x * w * dy, 3 * x**2 * dy


@pytest.mark.parametrize("setup", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_autograd_function_right_and_wrong(dtype, setup):
    x, w = drawn(3, 2, dtype=dtype), drawn(3, 2, dtype=dtype)
    check_torch(function(right, setup), x, w, 3)
    wrong = function(lambda dy, x, w: (6 * x * w * dy, 3.03 * x**2 * dy), setup)
    error = error_of(wrong, x, w, 3)
    assert (error.verdict, error.path) == ("wrong derivative", f"Scaled{'WithSetup' if setup else ''}.w")
    check_torch(wrong, x, w.detach(), 3)  # w is fixed


def test_several_outputs_in_any_containers_and_whole_numbers_among_them():
    def f(x):
        values, places = x.max(dim=1)
        return {"max": values, "where": places, "sums": [x.sum(), (x.mean(dim=0),)]}

    check_torch(f, drawn(3, 4))


def test_whole_numbers_are_fixed():
    check_torch(torch.nn.functional.embedding, torch.tensor([0, 2, 2]), drawn(3, 2))


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_module_is_checked_by_its_parameters_and_is_not_changed(dtype):
    model = network().to(getattr(torch, dtype))
    before, random = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    check_torch(model, drawn(5, 3, dtype=dtype, fixed=True))
    assert model.state_dict().keys() == before.keys()
    for key, tensor in model.state_dict().items():
        assert tensor.dtype == before[key].dtype
        assert torch.equal(tensor, before[key])
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_parameter_of_a_module_with_a_wrong_gradient_is_named():
    class Wrong(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(3, 2, dtype=torch.float64)

        def forward(self, x):
            w = self.inner.weight
            return x @ (2.0 * w - w.detach()).T  # the value of w, twice its gradient

    error = error_of(Wrong(), drawn(4, 3))
    assert (error.verdict, error.path) == ("wrong derivative", "Wrong.inner.weight")
    assert "twice too large" in error.message


def test_an_argument_may_have_the_name_of_a_parameter():
    class Same(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.x = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))

        def forward(self, x):
            return self.x * (2.0 * x - x.detach())

    assert error_of(Same(), drawn(3)).path == "Same.forward.x"


def test_a_frozen_parameter_is_fixed():
    model = torch.nn.Linear(3, 2, dtype=torch.float64)
    model.weight.requires_grad_(False)
    check_torch(model, drawn(4, 3, fixed=True))


def test_a_gradient_that_is_cut_off_is_found():
    error = error_of(lambda x: x.detach() * 2.0, drawn(3))
    assert "gives exactly zero" in error.message
    error_of(lambda x, y: x * y.detach(), drawn(3), drawn(3))


def test_what_is_written_in_place_is_found():
    writing = function(lambda dy, x, w: (dy.mul_(6 * x * w), 3 * x**2 * dy))
    error = error_of(writing, drawn(3), drawn(3), 3)
    assert (error.verdict, error.path) == ("input written", "Scaled.dy")
    fixed = drawn(3, fixed=True)
    assert error_of(lambda x, scale: x * scale.mul_(2.0), drawn(3), fixed).verdict == "input written"


def test_float32_computed_inside_cannot_be_judged_and_is_told():
    w = drawn(3, 2, dtype="float32", fixed=True)
    error = error_of(lambda x: x @ w, drawn(4, 3, dtype="float32"))
    assert error.verdict == "rounding noise"
    assert "dtype is too short" in error.message


def test_arguments_that_cannot_be_checked_are_refused():
    with pytest.raises(ValueError, match="no tensor requires a gradient"):
        check_torch(torch.sin, drawn(3, fixed=True))
    with pytest.raises(TypeError, match=r"torch\.float16, expected float64"):
        check_torch(torch.sin, drawn(3, dtype="float16"))
    with pytest.raises(TypeError, match=r"is float32, \S+ is float64: convert one"):
        check_torch(torch.add, drawn(3, dtype="float32"), drawn(3))
