"""Training on several processes gives the bits of one process, whatever their number and that of the workers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import callbacks, data, layers, losses, models, optim, tree

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (52, 32, 32, 1), dtype=np.uint8), RNG.integers(0, 10, 52)
VECTORS = RNG.standard_normal((44, 6)).astype(np.float32)
CLASSES = RNG.integers(0, 3, 44)
CROSS_ENTROPY = losses.softmax_cross_entropy
SHIFTED = data.chain(data.random_shift(1), data.standardize(IMAGES))
NORMED = fnn.serial(f=layers.dense(8), n=layers.batch_norm(), a=layers.relu, o=layers.dense(3))
DROPPING = fnn.serial(f=layers.dense(16), a=layers.tanh, d=layers.dropout(0.4), o=layers.dense(3))
UNEVEN = losses.cross_entropy(class_weights=(0.5, 1.0, 4.0))
WEIGHTED = losses.weighted_targets(CLASSES, RNG.uniform(0.2, 5.0, 44))

# model, data, options of fit; in all the last batch is shorter than the others, and its last chunk than the others
JOBS = {
    "LeNet-5 in chunks": (models.lenet5(), (IMAGES, LABELS), {"batch_size": 20, "chunk": 5, "transform": SHIFTED}),
    "LeNet-5, whole": (models.lenet5(), (IMAGES, LABELS), {"batch_size": 20, "transform": SHIFTED}),
    "LeNet-5, chunks chosen": (
        models.lenet5(),
        (np.concatenate([IMAGES] * 3), np.concatenate([LABELS] * 3)),
        {"batch_size": 128, "transform": SHIFTED, "epochs": 1},
    ),
    "batch norm, whole": (NORMED, (VECTORS, CLASSES), {}),
    "batch norm, by chunk": (NORMED, (VECTORS, CLASSES), {"chunk": 4}),
    "dropout and Adam": (DROPPING, (VECTORS, CLASSES), {"chunk": 3, "optimizer": optim.adam(1e-2)}),
    "accumulated": (
        DROPPING,
        (VECTORS, CLASSES),
        {"chunk": 2, "optimizer": optim.accumulate(optim.sgd(0.1, momentum=0.9), steps=3)},
    ),
    "class weights": (DROPPING, (VECTORS, CLASSES), {"chunk": 5, "loss": UNEVEN}),
    "weights of examples": (
        DROPPING,
        (VECTORS, WEIGHTED),
        {"chunk": 5, "loss": losses.weighted(CROSS_ENTROPY), "validation": (VECTORS[:9], WEIGHTED[:9])},
    ),
    "float64 and a loss without hits": (
        layers.dense(2),
        (VECTORS.astype(np.float64), VECTORS[:, :2].astype(np.float64)),
        {"chunk": 3, "loss": losses.mean_squared_error, "validation": None},
    ),
}


def fit(job, comm=None, workers=None, **options):
    model, train, own = JOBS[job]
    params = model.init(np.random.default_rng(1), train[0].shape[1:])
    if train[0].dtype == np.float64:
        params = tree.cast(params, np.float64)
    options = {
        "loss": CROSS_ENTROPY, "optimizer": optim.sgd(0.05, momentum=0.9), "epochs": 2, "batch_size": 17,
        "validation": (train[0][:30], train[1][:30]), "progress": False, **own, **options,
    }  # fmt: skip
    return fnn.fit(model, params, train, **options, seed=5, workers=workers, comm=comm)


@cache
def alone(job, **options):
    return fit(job, **options)


def same(a, b):
    """Equal bits, dtypes and order in memory, and equal figures but for the time."""

    def same_leaf(x, y):
        np.testing.assert_array_equal(x, y, strict=True)
        assert np.asarray(x).strides == np.asarray(y).strides

    tree.map(same_leaf, (a.params, a.state), (b.params, b.state))
    figures = [[{**record, "seconds": 0} for record in result.history] for result in (a, b)]
    assert repr(figures[0]) == repr(figures[1])  # nan equals nan


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("processes", ["two", "four"])
@pytest.mark.parametrize("job", JOBS)
def test_ranks_and_workers_do_not_change_a_bit(job, processes, workers, request):
    same(fit(job, request.getfixturevalue(processes), workers), alone(job))


@pytest.mark.parametrize("job", ["LeNet-5 in chunks", "batch norm, by chunk"])
def test_one_process_of_its_own_does_the_same(job):
    with fnn.processes(1) as comm:
        same(fit(job, comm), alone(job))


@pytest.mark.parametrize("job", ["dropout and Adam", "batch norm, whole"])
def test_a_run_goes_on_with_another_number_of_processes(job, two, four, tmp_path):
    """The checkpoint, and a result."""
    path, whole = tmp_path / "run.npz", fit(job, epochs=4)
    for comm, epochs in ((two, 1), (None, 2), (four, 3), (two, 4)):
        result = fit(job, comm, epochs=epochs, checkpoint=path)
        assert len(result.history) == epochs
    same(result, whole)
    same(fnn.load(path), whole)
    part = fit(job, four, epochs=2)
    same(fit(job, two, epochs=4, resume=part), whole)
    same(fit(job, two, epochs=1, checkpoint=path), whole)  # nothing is left to do


def test_callbacks_see_and_do_what_they_do_without_processes(two, four, tmp_path):
    def run(comm, folder):
        folder.mkdir()
        seen, best = [], callbacks.keep_best(path=folder / "best.npz")
        stop = callbacks.early_stopping(2, "val_accuracy")
        calls = [lambda result: seen.append(len(result.history)), best, callbacks.csv_log(folder / "log.csv"), stop]
        result = fit("dropout and Adam", comm, epochs=20, callback=calls)
        rows = [line.rsplit(",", 1)[0] for line in (folder / "log.csv").read_text().splitlines()]  # without seconds
        return result, seen, best.result, fnn.load(folder / "best.npz"), rows

    expected = run(None, tmp_path / "none")
    assert 2 < len(expected[0].history) < 20  # early stopping ended it
    for name, comm in (("two", two), ("four", four)):
        result, seen, best, kept, rows = run(comm, tmp_path / name)
        assert seen == expected[1]
        assert rows == expected[4]
        same(result, expected[0])
        same(best, expected[2])
        same(kept, expected[2])


def test_progress_is_shown_by_the_first_process_alone(four, capfd):
    fit("dropout and Adam", four, progress=True)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert [line.split(":")[0] for line in printed.err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    fit("dropout and Adam", four)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("processes", ["two", "four"])
def test_data_in_memory_maps(processes, request, tmp_path):
    """Rows of a larger file, as a training split is."""
    comm, expected = request.getfixturevalue(processes), alone("LeNet-5 in chunks")
    for name, array in (("x", IMAGES), ("y", LABELS)):
        np.save(tmp_path / f"{name}.npy", np.concatenate([array[:3], array]))
    x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r")[3:] for name in "xy")
    model, _, own = JOBS["LeNet-5 in chunks"]
    params = model.init(np.random.default_rng(1), x.shape[1:])
    options = {"loss": CROSS_ENTROPY, "optimizer": optim.sgd(0.05, momentum=0.9), "epochs": 2, **own}
    result = fnn.fit(
        model, params, (x, y), **options, validation=(x[:30], y[:30]), seed=5, progress=False, comm=comm
    )  # fmt: skip
    same(result, expected)


LAYOUTS = {
    "columns first": np.asfortranarray,
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "one row for all": lambda x: np.broadcast_to(x[0], x.shape),
}


def total_of(x):
    """The sum of all entries of a chunk: its last bits depend on how they lie in memory."""
    return x.sum() / x.size + 0.0 * x


@pytest.mark.parametrize("layout", LAYOUTS)
def test_data_may_lie_in_memory_in_any_way(layout, two):
    """Another process has a copy, whose sums and products may be rounded otherwise."""
    x = LAYOUTS[layout](RNG.standard_normal((44, 600)).astype(np.float32))
    model = fnn.serial(
        t=fnn.Layer("total", vjp=lambda params, x, *, key=None, wrt_x=True: (total_of(x), lambda dy: ({}, 0.0 * dy))),
        f=layers.dense(3), n=layers.batch_norm(),
    )  # fmt: skip
    params = model.init(np.random.default_rng(0), (600,))
    step = fnn.value_and_grad(model, CROSS_ENTROPY)
    options = {"loss": CROSS_ENTROPY, "optimizer": optim.sgd(0.1), "epochs": 1, "batch_size": 20, "chunk": 5}

    def results(comm):
        result = fnn.fit(
            model, params, (x, CLASSES), **options, validation=(x, CLASSES), seed=0, progress=False, comm=comm
        )
        known = fnn.statistics(model, result.params, x, batch_size=7, comm=comm)
        value, grads = fnn.data_parallel(step, chunk=9, comm=comm)(params, x, CLASSES)
        outputs = fnn.predict(model, known, np.broadcast_to(x, (30, *x.shape)).reshape(-1, 600), comm=comm)
        return result.params, result.history[0]["val_loss"], known, value, grads, outputs

    np.testing.assert_equal(results(two), results(None))
