"""check_jax judges custom_vjp rules in float64 and float32, over any pytrees, and leaves JAX's configuration alone."""

import numpy as np
import pytest

from functional_nn.testing import GradientError, check_jax
from tests.oracles.peers import peer

jax = peer("jax")
jnp = jax.numpy
Z = np.random.default_rng(0).standard_normal((3, 4))


def error_of(f, *arguments, **options):
    with pytest.raises(GradientError) as caught:
        check_jax(f, *arguments, **options)
    return caught.value


def softmax(backward):
    @jax.custom_vjp
    def softmax(z):
        e = jnp.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def forward(z):
        p = softmax(z)
        return p, p

    softmax.defvjp(forward, backward)
    return softmax


def right(p, dy):
    return (p * (dy - (p * dy).sum(axis=-1, keepdims=True)),)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("enabled", [False, True])
def test_a_custom_vjp_right_and_wrong_whatever_the_configuration(dtype, enabled):
    with jax.enable_x64(enabled):
        check_jax(softmax(right), Z.astype(dtype))
        error = error_of(softmax(lambda p, dy: (p * (1.0 - p) * dy,)), Z.astype(dtype))
        assert jax.config.jax_enable_x64 is enabled
    assert (error.verdict, error.path) == ("wrong derivative", "softmax.z")


def test_arrays_of_jax_keep_their_dtype():
    check_jax(softmax(right), jnp.asarray(Z))  # float32 where 64 bits are not enabled
    with jax.enable_x64(True):
        z = jnp.asarray(Z)
    assert z.dtype == np.float64
    check_jax(softmax(right), z)


def test_float32_runs_under_the_users_configuration_and_float64_with_64_bits():
    seen = set()

    def f(x):
        seen.add((x.dtype.name, jax.config.jax_enable_x64))
        return jnp.sin(x) + jnp.zeros(4)

    check_jax(f, Z.astype(np.float32))
    assert seen == {("float32", False), ("float64", True)}


def test_any_pytrees_with_whole_numbers_and_keys_in_them():
    def loss(params, batch, key):
        h = jnp.tanh(batch["x"] @ params["w"] + params["b"]) * jax.random.bernoulli(key, 0.5, (3, 5))
        return {"loss": -jax.nn.log_softmax(h)[jnp.arange(3), batch["labels"]].mean(), "classes": h.argmax(axis=-1)}

    params = {"w": Z[:, :1].T @ Z[:, :1] + np.ones((4, 5)), "b": np.zeros(5)}
    check_jax(loss, params, {"x": Z, "labels": np.array([0, 4, 1])}, jax.random.key(0))


def test_a_leaf_is_named_by_its_path():
    @jax.custom_vjp
    def f(tree):
        return tree["a"][0] * tree["b"]

    f.defvjp(lambda tree: (f(tree), tree), lambda tree, dy: ({"a": [dy * tree["b"]], "b": 2.0 * dy * tree["a"][0]},))
    error = error_of(f, {"a": [Z], "b": Z + 1.0})
    assert error.path == "f.tree['b']"
    assert "twice too large" in error.message


def test_what_fwd_returns_must_be_what_the_function_returns():
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2 + 1e-3, x), lambda x, dy: (2.0 * x * dy,))
    assert error_of(square, Z).verdict == "vjp's output is not the function's"


def test_arguments_that_cannot_be_checked_are_refused():
    with pytest.raises(TypeError, match=r"f\.x is bfloat16, expected an array"):
        check_jax(lambda x: x, jnp.ones(3, jnp.bfloat16))
    with pytest.raises(TypeError, match=r"f\.x is float, expected an array"):
        check_jax(lambda x: x, 3.0)
    with pytest.raises(TypeError, match="convert one"):
        check_jax(lambda x, y: x * y, Z, Z.astype(np.float32))
    with pytest.raises(ValueError, match="no array to differentiate by"):
        check_jax(lambda x: x, np.arange(3))
