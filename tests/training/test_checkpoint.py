"""A run that goes on from its checkpoint equals the run that never stopped, bit for bit, callbacks included."""

import os
import signal
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import callbacks, layers, losses, optim, tree
from functional_nn.optim import Transform
from functional_nn.value import constructor
from tests.training.test_resume import LABELS, OPTIMIZERS, X, fit, same

VALIDATION = (X[:30], LABELS[:30])


class Ended(Exception):
    """Ends a run within a callback, as a kill does."""


def stop_after(epoch):
    def stop(result):
        if len(result.history) == epoch:
            raise Ended

    return stop


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@settings(max_examples=15)
@given(
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    stops=st.lists(st.integers(1, 4), max_size=3, unique=True).map(sorted),
    workers=st.lists(st.sampled_from([1, 2, None]), min_size=4, max_size=4),
    chunk=st.sampled_from([None, 7, 20]),
    validation=st.sampled_from([None, VALIDATION]),
    ending=st.sampled_from([".npz", ".safetensors"]),
)
def test_going_on_gives_the_bits_of_the_uninterrupted_run(
    optimizer, stops, workers, chunk, validation, ending, tmp_path_factory
):
    options = {"optimizer": OPTIMIZERS[optimizer], "chunk": chunk, "validation": validation, "epochs": 5}
    path = tmp_path_factory.mktemp("run") / f"run{ending}"
    for stop, number in zip(stops, workers, strict=False):
        with pytest.raises(Ended):
            fit(**options, workers=number, checkpoint=path, callback=stop_after(stop))
        assert len(fnn.load(path).history) == stop
    result = fit(**options, workers=workers[-1], checkpoint=path)
    same(result, fit(**options))
    same(fnn.load(path), result)
    assert names(path.parent) == [path.name]


def test_the_order_of_arrays_in_memory_changes_no_bits(tmp_path):
    """A file gives arrays back in row-major order, and a product of another order may round otherwise."""
    model = fnn.serial(f=layers.dense(33), a=layers.tanh, o=layers.dense(3))
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((64, 47)).astype(np.float32), rng.integers(0, 3, 64)
    params = tree.map(np.asfortranarray, model.init(rng, (47,)))
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.adam(1e-2), "seed": 0, "progress": False}
    options |= {"batch_size": 16}
    whole = fnn.fit(model, params, (x, labels), epochs=4, **options)
    for epochs in range(1, 5):
        part = fnn.fit(model, params, (x, labels), epochs=epochs, checkpoint=tmp_path / "run.npz", **options)
    same(part, whole)


def test_params_are_not_needed_once_there_is_a_file(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(TypeError, match="fit: params are a NoneType"):
        fit(None, checkpoint=path)
    fit(epochs=2, checkpoint=path)
    same(fit(None, checkpoint=path), fit())
    same(fit(checkpoint=path, epochs=2), fit())  # all epochs are there already


def test_a_run_that_goes_on_from_a_result_is_kept_too(tmp_path):
    part = fit(epochs=2)
    path = tmp_path / "run.npz"
    fit(None, resume=part, epochs=3, checkpoint=path)
    same(fit(None, resume=part, checkpoint=path), fit())  # the same call again goes on from the file
    with pytest.raises(ValueError, match=r"another run:\n  start\.epochs: 5 given, 2 in the file\n  start\.params: "):
        fit(None, resume=fnn.load(path), checkpoint=path)


def test_a_run_that_a_callback_ended_ends_there_again(tmp_path):
    path, early = tmp_path / "run.npz", callbacks.early_stopping(1, monitor="loss")
    options = {"optimizer": optim.sgd(0.5), "epochs": 40}
    whole = fit(**options, callback=early)
    assert 1 < len(whole.history) < 40
    with pytest.raises(Ended):  # killed after the epoch was kept and before early_stopping was asked
        fit(**options, callback=[stop_after(len(whole.history)), early], checkpoint=path)
    for _ in range(2):
        same(fit(**options, callback=early, checkpoint=path), whole)


def test_the_file_is_written_before_the_callbacks_and_only_then(tmp_path):
    path, seen = tmp_path / "run.npz", []

    def look(result):
        seen.append(len(result.history))
        same(fnn.load(path), result)

    fit(epochs=2, checkpoint=path, callback=look)
    fit(epochs=3, checkpoint=path, callback=look)
    assert seen == [1, 2, 2, 3]  # once more for the last epoch of the file


def test_an_interrupt_says_how_to_go_on(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(fnn.Interrupted, match=r"after 2 whole epochs; go on by the same call again: .*run\.npz$"):
        fit(checkpoint=path, callback=lambda r: os.kill(os.getpid(), signal.SIGINT) if len(r.history) == 2 else None)
    same(fit(checkpoint=path), fit())


def test_an_interrupt_within_the_writing_leaves_the_epoch_before(tmp_path, monkeypatch):
    path, written = tmp_path / "run.npz", []

    def interrupted(*names):
        written.append(names)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return replace(*names)

    replace = os.replace
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(fnn.Interrupted, match="after 3 whole epochs") as caught:
        fit(checkpoint=path)
    assert len(caught.value.result.history) == 3
    assert len(fnn.load(path).history) in (2, 3)
    assert names(tmp_path) == ["run.npz"]
    same(fit(checkpoint=path), fit())


def test_a_divergence_leaves_the_last_whole_epoch(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(fnn.DivergenceError):
        fit(optimizer=optim.sgd(exploding), checkpoint=path)
    kept = fnn.load(path)
    same(kept, fit(optimizer=optim.sgd(exploding), epochs=2))
    same(fit(None, resume=kept, optimizer=optim.sgd(exploding), epochs=2), kept)


def exploding(step):
    return 0.1 if step < 12 else 1e30


class Own(NamedTuple):
    """A state that the library does not know."""

    steps: int
    mean: dict


@constructor
def own_momentum(decay: float) -> Transform:
    def update(grads, state, params):
        mean = tree.map(lambda m, g: decay * m - 0.01 * g, state.mean, grads)
        return mean, Own(state.steps + 1, mean)

    return Transform(lambda params: Own(0, tree.zeros_like(params)), update)


def test_a_state_of_ones_own_needs_nothing_but_the_same_call(tmp_path):
    path, options = tmp_path / "run.npz", {"optimizer": own_momentum(0.9)}
    fit(**options, epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match=r"it needs .*Own: pass what is your own"):
        fnn.load(path)
    same(fit(None, **options, epochs=2, checkpoint=path), fit(**options, epochs=2))
    same(fit(**options, checkpoint=path), fit(**options))


def test_large_arrays_among_the_arguments_are_not_in_the_file(tmp_path):
    fixed = fnn.serial(e=layers.dense(4000), a=layers.relu, o=layers.dense(3))
    drawn = fixed.init(np.random.default_rng(0), (144,))
    model = fnn.bind(fixed, {"e": drawn["e"]})
    x = X.reshape(90, -1).astype(np.float32)
    fnn.fit(
        model, {"o": drawn["o"]}, (x, LABELS), loss=losses.softmax_cross_entropy, optimizer=optim.sgd(1e-6), epochs=1,
        batch_size=45, seed=0, progress=False, checkpoint=tmp_path / "run.npz",
    )  # fmt: skip
    assert (tmp_path / "run.npz").stat().st_size < 60_000  # e.w alone has 2,304,000 bytes
