"""What `fit`, `predict` and `evaluate` refuse before any work is lost, and what they say to do."""

import subprocess
import sys

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, models, optim
from tests.training.test_fit import LABELS, MODEL, PARAMS, RNG, X, fit

NORMED = fnn.serial(f=layers.dense(3), n=layers.batch_norm(), o=layers.dense(2))


def normed_params():
    return NORMED.init(np.random.default_rng(0), (4,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam"}, r"fit: optimizer is 'adam', expected a transformation, such as optim\.sgd\(0\.1\)"),
        ({"loss": "mse"}, "fit: loss is 'mse', expected a Loss, such as losses.softmax_cross_entropy"),
        ({"loss": losses.huber}, "expected a Loss: call it to make one"),
        ({"model": "lenet5"}, "fit: model is 'lenet5', expected a Layer"),
        (
            {"train": (X.tolist(), LABELS)},
            "fit: data's inputs is a list, expected a NumPy array: convert it",
        ),
        ({"train": (X, None)}, "fit: data's targets is a NoneType, expected a NumPy array"),
        ({"train": None}, r"fit: data is a NoneType, expected a pair of arrays \(inputs, targets\)"),
        ({"validation": (X, LABELS.tolist())}, "fit: validation's targets is a list"),
        ({"params": None}, "fit: params are a NoneType, expected a dict"),
        (
            {"params": fnn.FitResult(PARAMS, (), [])},
            r"fit: params are a FitResult, .*: give its \.params, or resume= it",
        ),
    ],
)
def test_values_of_a_wrong_kind_are_named(options, message):
    with pytest.raises(TypeError, match=message):
        fit(**options)


@pytest.mark.parametrize("epochs", [1.5, 0, True, None])
def test_epochs_that_are_no_positive_int_are_refused(epochs):
    with pytest.raises(ValueError, match=r"fit: epochs is .*, expected an int of at least 1"):
        fit(epochs=epochs)


def test_a_batch_of_one_vector_under_batch_norm_is_refused_before_any_training():
    calls = []
    with pytest.raises(ValueError, match=r"serial\.n: one vector a batch has no variance: fit needs a batch_size"):
        fit(normed_params(), model=NORMED, batch_size=1, callback=calls.append, validation=(X, LABELS))
    assert calls == []
    with pytest.raises(ValueError, match="one vector a batch"):
        fit(normed_params(), model=NORMED, batch_size=16, chunk=1)


def test_an_example_that_is_not_finite_is_named_and_not_the_learning_rate_blamed():
    bad = X.copy()
    bad[37, 2] = np.nan
    with pytest.raises(fnn.DivergenceError, match="input 37 of the data is not finite: remove or replace") as caught:
        fit(train=(bad, LABELS))
    assert "learning rate" not in str(caught.value)
    targets = np.zeros((60, 2))
    targets[5, 1] = np.inf
    with pytest.raises(fnn.DivergenceError, match="target 5 of the data is not finite"):
        fit(train=(X, targets), loss=losses.mean_squared_error)


def test_a_loss_that_explodes_without_overflow_is_a_divergence():
    with pytest.raises(fnn.DivergenceError, match=r"the loss is \d.*e\+\d+.*[Tt]ry a smaller learning rate"):
        fit(optimizer=optim.sgd(1e30), epochs=3)


def test_predict_and_evaluate_name_what_is_no_array():
    with pytest.raises(TypeError, match="predict: x is a list, expected a NumPy array: convert it"):
        fnn.predict(MODEL, PARAMS, X.tolist())
    with pytest.raises(TypeError, match=r"the parameters are a FitResult, expected a dict .*: give its \.params"):
        fnn.predict(MODEL, fit(), X)
    with pytest.raises(TypeError, match="evaluate: targets is a NoneType"):
        fnn.evaluate(MODEL, PARAMS, X, None, loss=losses.softmax_cross_entropy)
    with pytest.raises(ValueError, match="evaluate: 60 inputs and 59 targets"):
        fnn.evaluate(MODEL, PARAMS, X, LABELS[1:], loss=losses.softmax_cross_entropy)
    with pytest.raises(TypeError, match="evaluate: loss is None"):
        fnn.evaluate(MODEL, PARAMS, X, LABELS, loss=None)


def test_chunks_are_chosen_for_what_the_transform_gives():
    images = RNG.standard_normal((300, 12, 12, 1)).astype(np.float32)
    labels = (images.mean(axis=(1, 2, 3)) > 0).astype(int)
    model = fnn.serial(f=layers.dense(1500), a=layers.relu, g=layers.dense(2))  # enough work to be cut into chunks
    params = model.init(np.random.default_rng(0), (144,))

    def as_vectors(x, key):
        return x.reshape(len(x), -1)

    result = fit(
        params, model=model, train=(images, labels), transform=as_vectors, validation=(images, labels), epochs=1
    )
    assert fnn.predict(model, result.params, images, transform=as_vectors).shape == (300, 2)


def test_batch_norm_runs_on_the_whole_batch_unless_a_chunk_is_asked_for():
    model = fnn.serial(
        c=layers.conv2d(4, 3, padding=1), n=layers.batch_norm(), flat=layers.flatten(), o=layers.dense(2)
    )
    params = model.init(np.random.default_rng(0), (32, 32, 3))
    x, labels = RNG.standard_normal((192, 32, 32, 3)).astype(np.float32), RNG.integers(0, 2, 192)
    grad_fn = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    whole = grad_fn(params, x, labels)
    chosen = fnn.data_parallel(grad_fn)(params, x, labels)
    asked = fnn.data_parallel(grad_fn, chunk=64)(params, x, labels)
    assert chosen[0] == whole[0] != asked[0]
    plain = fnn.serial(c=layers.conv2d(4, 3, padding=1), flat=layers.flatten(), o=layers.dense(2))
    assert fnn.training.chunks.training_chunk_size(plain, {k: params[k] for k in "co"}, 192, (32, 32, 3)) < 192


def test_statistics_take_the_chunks_that_training_takes():
    params, x = normed_params(), RNG.standard_normal((64, 4)).astype(np.float32)
    by_chunk = fnn.statistics(NORMED, params, x, batch_size=32, chunk=8)
    assert fnn.tree.map(np.ndarray.tolist, by_chunk) == fnn.tree.map(
        np.ndarray.tolist, fnn.statistics(NORMED, params, x, batch_size=8)
    )


MAPPED = """
import resource, sys
import numpy as np
import functional_nn as fnn
from functional_nn import layers, losses, optim

n, classes = 400_000, 1000
x = np.memmap(sys.argv[1], np.float32, "w+", shape=(n, 8))
labels = np.memmap(sys.argv[2], np.int32, "w+", shape=(n,))
labels[:] = np.arange(n) % classes
model = fnn.serial(f=layers.dense(classes))
params = model.init(np.random.default_rng(0), (8,))
options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.sgd(0.1), "seed": 0, "progress": False}
fnn.fit(model, params, (x[:64], labels[:64]), epochs=1, batch_size=32, **options)  # what is loaded once
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + 500 * 2**20  # outputs of all examples would take 1,526 MiB
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
result = fnn.fit(model, params, (x, labels), epochs=1, batch_size=40_000, chunk=2_000, workers=1, **options)
print(len(result.history))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and sets RLIMIT_AS")
def test_training_on_a_memory_mapped_set_needs_no_memory_for_all_its_outputs(tmp_path):
    command = [sys.executable, "-c", MAPPED, str(tmp_path / "x"), str(tmp_path / "labels")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "1", run.stderr


def test_models_that_are_called_say_what_to_do():
    with pytest.raises(TypeError, match=r"relu is a layer and cannot be called: .*without parentheses"):
        layers.relu()
    with pytest.raises(TypeError, match=r"lenet5 is a layer and cannot be called: lenet5\.apply\(params, x\)"):
        models.lenet5()(X)
    with pytest.raises(TypeError, match=r"serial: give every layer a name, such as serial\(l1=flatten\(\), ...\)"):
        fnn.serial(layers.flatten(), layers.dense(3))
    with pytest.raises(
        TypeError, match=r"dense: init's rng is 0, expected a generator, such as np\.random\.default_rng"
    ):
        layers.dense(3).init(0, (4,))


def test_images_in_another_form_are_refused_with_the_remedy():
    model = models.lenet5()
    params = model.init(np.random.default_rng(0), (32, 32, 3))
    with pytest.raises(ValueError, match=r"lenet5\.c1: .*give one image as a batch, x\[np\.newaxis\]"):
        model.apply(params, np.zeros((32, 32, 3), np.float32))
    with pytest.raises(ValueError, match=r"lenet5\.c1: .*channels come last: x\.transpose\(0, 2, 3, 1\)"):
        model.apply(params, np.zeros((2, 3, 32, 32), np.float32))
    with pytest.raises(ValueError, match=r"lenet5\.c1: .*without the batch axis: images\.shape\[1:\]"):
        fnn.summary(model, (60000, 32, 32, 3))


def test_an_explosion_in_the_last_step_shows_in_the_validation():
    """Item B13: no training loss follows the last step, and `fit` ended normally."""
    message = "epoch 1, after its last step: the validation loss is .*; try a smaller learning rate"
    with pytest.raises(fnn.DivergenceError, match=message) as caught:
        fit(optimizer=optim.sgd(1e15), epochs=1, batch_size=60, validation=(X, LABELS))
    assert caught.value.result.history == []
