"""A run that stops after any epoch and goes on equals the run that never stopped, bit for bit."""

import errno
import os
import signal

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import callbacks, data, layers, losses, optim, tree

RNG = np.random.default_rng(0)
X, LABELS = RNG.integers(0, 256, (90, 12, 12, 1), dtype=np.uint8), RNG.integers(0, 3, 90)
MODEL = fnn.serial(
    c=layers.conv2d(4, 3), a=layers.relu, p=layers.max_pool(2), flat=layers.flatten(),
    d=layers.dropout(0.3), f=layers.dense(16), n=layers.batch_norm(), b=layers.tanh, o=layers.dense(3),
)  # fmt: skip
PARAMS = MODEL.init(np.random.default_rng(1), X.shape[1:])
OPTIMIZERS = {
    "adam with a schedule": optim.adam(optim.cosine(1e-2, steps=40, warmup=3), weight_decay=0.01),
    "accumulated": optim.accumulate(optim.sgd(0.05, momentum=0.9), steps=3),
    "averaged": optim.chain(optim.rmsprop(1e-3), optim.parameter_average(0.9)),
}
TRANSFORM = data.chain(data.random_shift(1), data.random_flip(), data.standardize(X))


def fit(params=PARAMS, *, optimizer=OPTIMIZERS["adam with a schedule"], epochs=5, **options):
    options = {"batch_size": 20, "seed": 3, "transform": TRANSFORM, "progress": False, **options}
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optimizer, "epochs": epochs, **options}
    return fnn.fit(MODEL, params, (X, LABELS), **options)


def same(a, b):
    """Equal bits, and equal figures but for the time."""
    tree.map(np.testing.assert_array_equal, (a.params, a.state), (b.params, b.state))
    assert [r | {"seconds": 0} for r in a.history] == [r | {"seconds": 0} for r in b.history]


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_resumed_run_is_the_uninterrupted_one(optimizer, stop):
    validation = (X[:30], LABELS[:30])
    whole = fit(optimizer=optimizer, validation=validation)
    part = fit(optimizer=optimizer, validation=validation, epochs=stop, workers=1)
    same(fit(None, optimizer=optimizer, validation=validation, resume=part, workers=2), whole)
    assert len(part.history) == stop  # what is resumed from does not change


def test_a_result_of_all_epochs_comes_back_as_it_is():
    result = fit(epochs=2)
    same(fit(resume=result, epochs=2), result)
    same(fit(resume=result, epochs=1), result)


def test_what_is_no_result_of_this_run_is_refused():
    result = fit(epochs=1)
    with pytest.raises(TypeError, match="fit: resume is a dict, expected a FitResult"):
        fit(resume=result.params)
    with pytest.raises(TypeError, match="fit: the state of resume and this optimizer's differ: trees differ at"):
        fit(resume=result, optimizer=optim.sgd(0.1, momentum=0.9))
    other = fnn.tree.map(lambda p: p[..., :1], PARAMS)
    with pytest.raises(TypeError, match=r"params and those of resume differ: float32 of shape .* against"):
        fit(other, resume=result)


def test_an_interrupt_gives_the_whole_epochs_and_goes_on_to_the_same_bits():
    calls = []

    def interrupt(x, key):
        calls.append(key)
        if key is not None and len([k for k in calls if k is not None]) == 12:  # within the third epoch of 5 steps
            os.kill(os.getpid(), signal.SIGINT)
        return TRANSFORM(x, key)

    with pytest.raises(fnn.Interrupted, match=r"after 2 whole epochs; go on with fit.*resume=error") as caught:
        fit(transform=interrupt)
    assert isinstance(caught.value, KeyboardInterrupt)
    same(fit(resume=caught.value.result), fit())


def test_all_callbacks_run_in_order_and_training_ends_where_one_returns_true():
    calls = []
    several = [lambda result: calls.append("a") or len(result.history) == 2, lambda result: calls.append("b")]
    assert len(fit(callback=several).history) == 2
    assert calls == ["a", "b", "a", "b"]
    with pytest.raises(TypeError, match="fit: callback is 'early', expected a function of a FitResult, or a sequence"):
        fit(callback=["early"])


def histories(values, monitor="val_loss"):
    """The results that a callback sees when the monitored figure takes these values."""
    for epoch in range(1, len(values) + 1):
        yield fnn.FitResult({}, epoch, [{"epoch": i, monitor: value} for i, value in enumerate(values[:epoch], 1)])


def test_early_stopping_counts_the_epochs_since_the_best():
    stop = callbacks.early_stopping(2)
    assert [stop(result) for result in histories([3.0, 2.0, 2.0, 1.0, 1.5, 1.0])] == [False] * 5 + [True]
    stop = callbacks.early_stopping(1, monitor="accuracy")
    assert [stop(result) for result in histories([0.5, 0.6, 0.6], "accuracy")] == [False, False, True]


def test_keep_best_has_the_first_of_the_best_results():
    best = callbacks.keep_best()
    with pytest.raises(ValueError, match="no epoch has ended yet"):
        best.result  # noqa: B018
    for result in histories([3.0, 1.0, 2.0, 1.0]):
        best(result)
    assert best.result.state == 2
    assert callbacks.keep_best() == best != callbacks.keep_best("val_accuracy")


def test_callbacks_say_when_the_figure_is_missing():
    for callback in (callbacks.early_stopping(1), callbacks.keep_best()):
        with pytest.raises(ValueError, match="the history has no val_loss: give fit a validation="):
            fit(epochs=1, callback=callback)
    with pytest.raises(ValueError, match="keep_best: monitor is 'val_acc', expected loss, accuracy, val_loss or"):
        callbacks.keep_best("val_acc")


def test_a_callback_that_cannot_write_its_file_is_told_before_any_epoch(tmp_path):
    counted = []
    for callback in (
        callbacks.csv_log(tmp_path / "no" / "h.csv"),
        callbacks.keep_best("loss", tmp_path / "no" / "b.npz"),
    ):
        with pytest.raises(OSError, match="No such file or directory"):
            fit(epochs=1, callback=[counted.append, callback])
    assert counted == []
    with pytest.raises(TypeError, match="csv_log: path is 3, expected a path"):
        callbacks.csv_log(3)


def test_what_a_callback_raises_has_the_result():
    def fails(result):
        if len(result.history) == 2:
            raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network") as caught:
        fit(epochs=3, callback=fails)
    assert len(caught.value.result.history) == 2
    assert caught.value.__notes__ == ["fit: a callback failed; the result of 2 epochs is the error's .result"]


def test_the_log_holds_the_whole_history_after_a_resume_too(tmp_path):
    path = tmp_path / "history.csv"
    part = fit(epochs=2, callback=callbacks.csv_log(path))
    whole = fit(resume=part, epochs=4, callback=callbacks.csv_log(path))
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,val_loss,val_accuracy,seconds"
    assert [float(line.split(",")[1]) for line in lines[1:]] == [record["loss"] for record in whole.history]


def test_other_ranks_write_no_log_and_call_any_other_callback_as_the_first(tmp_path):
    log = callbacks.csv_log(tmp_path / "history.csv")
    assert log.elsewhere(next(histories([1.0]))) is None
    assert list(tmp_path.iterdir()) == []
    assert callbacks.early_stopping(2).elsewhere is None
    told = callbacks.Callback(lambda result: True, elsewhere=lambda result: False)
    assert (told(None), told.elsewhere(None)) == (True, False)


def test_a_log_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    write = callbacks.csv_log(path)
    part = fit(epochs=1, callback=write)
    before = path.read_text()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write(part._replace(history=part.history * 2))
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]
