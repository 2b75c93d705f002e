"""The same arguments give the same bits, whatever the workers, BLAS threads, cores, the thread and what runs beside."""

import hashlib
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import functional_nn as fnn
from functional_nn import layers, losses, models, optim
from functional_nn.blas import one_blas_thread

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.standard_normal((256, 32, 32, 3)).astype(np.float32), RNG.integers(0, 10, 256)
VECTORS = RNG.standard_normal((256, 408)).astype(np.float32)
RUNS = {
    "perceptron, one chunk": (models.two_layer_perceptron(classes=10), VECTORS, 128),
    "LeNet-5, one chunk": (models.lenet5(), IMAGES, 32),
    "LeNet-5, several chunks": (models.lenet5(), IMAGES, 128),
    "batch norm": (
        fnn.serial(f=layers.dense(32), n=layers.batch_norm(), a=layers.relu, o=layers.dense(10)),
        VECTORS,
        64,
    ),
}


def digest(run, workers=None):
    """A digest of the parameters after two epochs, of the validation's figures and of the gradient of a whole batch."""
    model, x, batch_size = RUNS[run]
    params = model.init(np.random.default_rng(0), x.shape[1:])
    result = fnn.fit(
        model,
        params,
        (x, LABELS),
        loss=losses.softmax_cross_entropy,
        optimizer=optim.sgd(0.1, momentum=0.9),
        epochs=2,
        batch_size=batch_size,
        seed=0,
        validation=(x[:100], LABELS[:100]),
        workers=workers,
        progress=False,
    )
    _, grads = fnn.value_and_grad(model, losses.softmax_cross_entropy)(params, x[:64], LABELS[:64])
    vector = np.concatenate([fnn.tree.ravel(tree)[0] for tree in (result.params, grads)])
    figures = [result.history[-1][name] for name in ("loss", "val_loss")]
    return hashlib.sha256(vector.tobytes() + np.array(figures).tobytes()).hexdigest()


def in_process(run, code="", **environment):
    """The digest that another process computes; `code` runs before it."""
    text = f"import os\n{code}\nfrom tests.training.test_determinism import digest\nprint(digest({run!r}))"
    env = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=env)
    return done.stdout.split()[-1]


def in_thread(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("run", RUNS)
def test_blas_threads_and_cores_do_not_change_a_bit(run):
    here = digest(run)
    assert in_process(run, OPENBLAS_NUM_THREADS="1") == here
    assert in_process(run, OPENBLAS_NUM_THREADS="2") == here
    if hasattr(os, "sched_setaffinity"):
        one_core = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
        assert in_process(run, one_core) == here
    with threadpool_limits(1, user_api="blas"):
        assert digest(run) == here


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_do_not_change_a_bit(run, workers):
    assert digest(run, workers) == digest(run)


@pytest.mark.parametrize("run", RUNS)
def test_another_thread_does_not_change_a_bit(run):
    with threadpool_limits(2, user_api="blas"):
        here = digest(run)  # the main thread has set BLAS's threads first, and threadpoolctl lets it alone go on
        assert in_thread(lambda: digest(run)) == here


def test_a_fit_beside_others_gives_the_same_bits():
    with threadpool_limits(2, user_api="blas"):
        alone = {run: digest(run) for run in RUNS}
        beside = {run: [] for run in RUNS}
        threads = [
            threading.Thread(target=lambda run=run: beside[run].extend(digest(run) for _ in range(3))) for run in RUNS
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert beside == {run: [alone[run]] * 3 for run in RUNS}


def test_blas_gets_its_threads_back_after_blocks_that_nest_and_run_side_by_side():
    def threads():
        from functional_nn.blas import _libraries

        return [library.get() for library in _libraries()]

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_blas_thread():
            in_thread(lambda: one_blas_thread().__enter__())
            assert set(threads()) == {1}
        assert set(threads()) == {1}  # the other thread's block is still open
        one_blas_thread().__exit__()
        assert threads() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_overflow_with_warnings_as_errors_is_a_divergence_whatever_the_workers(workers):
    model, x, _ = RUNS["LeNet-5, several chunks"]
    params = fnn.tree.map(lambda p: p * np.float32(1e20), model.init(np.random.default_rng(0), x.shape[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(fnn.DivergenceError):
            fnn.fit(
                models.lenet5(activation=layers.relu),
                params,
                (x, LABELS),
                loss=losses.softmax_cross_entropy,
                optimizer=optim.sgd(0.1),
                epochs=1,
                batch_size=128,
                seed=0,
                workers=workers,
                progress=False,
            )
