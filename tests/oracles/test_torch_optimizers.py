"""Every optimizer, transformation and schedule takes the steps that PyTorch's takes, in float64 to 1e-10."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import optim, tree
from tests.drawn import arguments_of, values_of
from tests.oracles.torch_table import OPTIMIZERS, needs_torch, tensor, torch

TYPES = {"Transform", "Schedule"}
WRAPPERS = {"masked", "accumulate", "parameter_average"}  # PyTorch has none: tests/optim/test_wrappers.py
STEPS = 6


def follow(transform):
    """`transform(**settings)` followed by the learning rate, as the optimizers are made."""

    def make(learning_rate, **settings):
        return optim.chain(transform(**settings), optim.scale_by_learning_rate(learning_rate))

    return make


OURS = {
    "rmsprop": optim.rmsprop,
    "adagrad": optim.adagrad,
    "scale_by_rms": follow(optim.scale_by_rms),
    "scale_by_adagrad": follow(optim.scale_by_adagrad),
    "exponential": lambda **settings: optim.sgd(optim.exponential(**settings)),
    "piecewise": lambda **settings: optim.sgd(optim.piecewise(**settings)),
    "one_cycle": lambda **settings: optim.sgd(optim.one_cycle(**settings)),
    "sgd": optim.sgd,
    "adam": optim.adam,
    "trace": follow(optim.trace),
    "scale_by_adam": follow(optim.scale_by_adam),
    "add_decayed_weights": follow(optim.add_decayed_weights),
    "clip_by_global_norm": follow(optim.clip_by_global_norm),
    "scale_by_learning_rate": optim.scale_by_learning_rate,
    "chain": follow(optim.chain),
    "apply_updates": optim.sgd,
    "step_decay": lambda **settings: optim.sgd(optim.step_decay(**settings)),
    "cosine": lambda **settings: optim.sgd(optim.cosine(**settings)),
}

rates = st.floats(1e-4, 0.5)
fractions = st.floats(0.05, 0.99)
decays = st.sampled_from([0.0, 0.01, 0.3])
adams = {"b1": fractions, "b2": fractions, "eps": st.sampled_from([1e-8, 1e-3])}


momenta = st.just(0.0) | fractions


@st.composite
def settings_of_sgd(draw):
    """Nesterov only with a momentum."""
    momentum = draw(momenta)
    nesterov = momentum > 0.0 and draw(st.booleans())
    return {
        "learning_rate": draw(rates), "momentum": momentum, "nesterov": nesterov, "weight_decay": draw(decays),
    }  # fmt: skip


@st.composite
def geometric_rates(draw):
    rate, factor, boundaries = draw(rates), draw(fractions), draw(st.sampled_from([(1,), (2, 4), (1, 2, 5)]))
    return {"rates": tuple(rate * factor**i for i in range(len(boundaries) + 1)), "boundaries": boundaries}


@st.composite
def cosines(draw):
    warmup = draw(st.integers(0, 3))
    steps = draw(st.integers(max(STEPS, warmup + 1), 12))  # beyond its end PyTorch's cosine rises again
    return {"rate": draw(rates), "steps": steps, "warmup": warmup, "final": draw(st.floats(0.0, 0.1))}


small = st.sampled_from([1e-8, 1e-3])
SETTINGS = {
    "rmsprop": st.fixed_dictionaries(
        {"learning_rate": rates, "decay": fractions, "eps": small, "momentum": momenta, "weight_decay": decays}
    ),
    "adagrad": st.fixed_dictionaries({"learning_rate": rates, "eps": small, "weight_decay": decays}),
    "scale_by_rms": st.fixed_dictionaries({"learning_rate": rates, "decay": fractions, "eps": small}),
    "scale_by_adagrad": st.fixed_dictionaries({"learning_rate": rates, "eps": small}),
    "exponential": st.fixed_dictionaries({"rate": rates, "factor": fractions, "every": st.integers(1, 4)}),
    "piecewise": geometric_rates(),
    "one_cycle": st.fixed_dictionaries(
        {
            "rate": rates,
            "steps": st.integers(STEPS + 1, 12),
            "warmup": st.floats(0.05, 0.9),
            "start": st.floats(1.0, 50.0),
            "final": st.floats(1.0, 1e4),
        }
    ),
    "sgd": settings_of_sgd(),
    "adam": st.fixed_dictionaries({"learning_rate": rates, **adams, "weight_decay": decays}),
    "trace": st.fixed_dictionaries({"learning_rate": rates, "decay": fractions, "nesterov": st.booleans()}),
    "scale_by_adam": st.fixed_dictionaries({"learning_rate": rates, **adams}),
    "add_decayed_weights": st.fixed_dictionaries({"learning_rate": rates, "rate": st.floats(0.0, 1.0)}),
    "clip_by_global_norm": st.fixed_dictionaries({"learning_rate": rates, "limit": st.floats(0.1, 20.0)}),
    "scale_by_learning_rate": st.fixed_dictionaries({"rate": rates}),
    "chain": st.fixed_dictionaries({"learning_rate": rates}),
    "apply_updates": st.fixed_dictionaries({"learning_rate": rates}),
    "step_decay": st.fixed_dictionaries({"rate": rates, "every": st.integers(1, 4), "factor": fractions}),
    "cosine": cosines(),
}


def drawn_tree(rng):
    return tree.map(lambda like: rng.standard_normal(like.shape), LIKE)


LIKE = {"c1": {"w": np.empty((2, 2, 1, 3)), "b": np.empty(3)}, "f2": [np.empty((4, 3)), np.empty(3)]}


def test_every_public_name_of_optim_that_makes_a_step_has_a_row():
    assert set(OPTIMIZERS) == set(OURS) == set(SETTINGS) == set(optim.__all__) - TYPES - WRAPPERS


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"apply_updates"}))
def test_a_row_draws_every_argument_of_the_constructor_with_several_values(name):
    values, arguments = values_of(SETTINGS[name]), arguments_of(getattr(optim, name))
    assert {argument: len(values[argument]) > 1 for argument in arguments} == dict.fromkeys(arguments, True)


@needs_torch
@pytest.mark.parametrize("name", OPTIMIZERS)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_steps_agree(name, data, seed):
    settings = data.draw(SETTINGS[name], label=name)
    rng = np.random.default_rng(seed)
    params = drawn_tree(rng)
    tensors = [tensor(leaf) for leaf in tree.leaves(params)]
    transform, step = OURS[name](**settings), OPTIMIZERS[name](tensors, **settings)
    state = transform.init(params)
    for _ in range(STEPS):
        grads = drawn_tree(rng)
        updates, state = transform.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        for p, gradient in zip(tensors, tree.leaves(grads), strict=True):
            p.grad = torch.tensor(gradient)
        step()
        for leaf, p in zip(tree.leaves(params), tensors, strict=True):
            np.testing.assert_allclose(leaf, p.detach().numpy(), rtol=1e-10, atol=1e-10)
