"""On each of two ranks: calls whose arguments differ on the second one, which refuse and leave all at work."""

import numpy as np
from mpi4py import MPI

import functional_nn as fnn
from functional_nn import layers, losses, optim, tree
from tests.mpi.cases import CLASSES, DROPPED, NORMED, PLAIN, VECTORS, fit, start
from tests.mpi.report import digest, report

comm = MPI.COMM_WORLD
X, Y = VECTORS[:150], CLASSES[:150]
PARAMS = start(PLAIN, X)
BEFORE = fit(PLAIN, epochs=1)


class Halved:
    """A transform that is no function: it prints with its address."""

    def __call__(self, x, key):
        return x / 2


def bound(value):
    return fnn.bind(PLAIN, {"hidden": tree.map(lambda leaf: np.full_like(leaf, value), PARAMS["hidden"])})


SAME = {"model": PLAIN, "params": PARAMS, "x": X, "targets": Y, "validation": None, "optimizer": optim.sgd(0.1)}
DIFFERING = {
    "params": tree.map(lambda leaf: leaf + 1, PARAMS),
    "epochs": 3,
    "batch_size": 32,
    "chunk": 8,
    "seed": (3, 1),
    "model": DROPPED,
    "loss": losses.huber(),
    "optimizer": optim.sgd(0.2),
    "transform": Halved(),
    "x": X[:, ::2],
    "targets": Y[::-1].copy(),
    "validation": (X, Y),
    "resume": BEFORE,
}
BAD = {"optimizer": "adam", "callback": 3, "transform": "none", "x": X.tolist(), "params": [1]}


def fitted(**options):
    return fit(**SAME | options, comm=comm)


def gradient(params=PARAMS, x=X, targets=Y, chunk=None, key=5):
    grad_fn = fnn.value_and_grad(PLAIN, losses.softmax_cross_entropy)
    return fnn.data_parallel(grad_fn, chunk=chunk, comm=comm)(params, x, targets, key=key)


def prediction(params=PARAMS, x=X):
    return fnn.predict(PLAIN, params, x, comm=comm)


def evaluation(params=PARAMS, x=X, targets=Y):
    return fnn.evaluate(PLAIN, params, x, targets, loss=losses.softmax_cross_entropy, comm=comm)


def statistics(seed=0, x=X, batch_size=64):
    return fnn.statistics(NORMED, NORMED.init(np.random.default_rng(seed), (8,)), x, batch_size=batch_size, comm=comm)


LESS = {"x": X[:9], "targets": Y[:9]}
OTHERS = {
    "data_parallel x": (gradient, LESS),
    "data_parallel chunk": (gradient, {"chunk": 8}),
    "data_parallel key": (gradient, {"key": 6}),
    "predict x": (prediction, {"x": X[:9]}),
    "predict params": (prediction, {"params": DIFFERING["params"]}),
    "evaluate x": (evaluation, LESS),
    "evaluate params": (evaluation, {"params": DIFFERING["params"]}),
    "statistics x": (statistics, {"x": X[:9]}),
    "statistics params": (statistics, {"seed": 1}),
    "statistics batch_size": (statistics, {"batch_size": 32}),
}


def raised(call=fitted, **options):
    try:
        call(**options)
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("nothing was refused")


for what, arguments in (("other", DIFFERING), ("bad", BAD)):
    for name, value in arguments.items():
        report(comm.rank, [f"{what} {name}", raised(**({name: value} if comm.rank == 1 else {}))])
for name, (call, arguments) in OTHERS.items():
    report(comm.rank, [name, raised(call, **(arguments if comm.rank == 1 else {}))])
report(comm.rank, ["other bound array", raised(model=bound(comm.rank), params={"output": PARAMS["output"]})])
report(comm.rank, ["several", raised(epochs=1 + comm.rank, batch_size=9 + comm.rank)])

# what may differ, and what only looks as if it did
given = SAME | {"chunk": 8, "transform": Halved()}
may_differ = {"workers": 1 + comm.rank, "progress": comm.rank == 1, "callback": [] if comm.rank else [lambda _: None]}
report(comm.rank, digest(fit(**given, **may_differ, comm=comm)) == digest(fit(**given)))
double = fnn.Layer("double", apply=lambda params, x: 2 * x, vjp=lambda params, x, **_: (2 * x, lambda dy: ({}, 2 * dy)))
given |= {"model": fnn.serial(d=double, f=layers.dense(2)), "optimizer": optim.sgd(lambda step: 0.1 / (1 + step))}
given["params"] = start(given["model"], X)
report(comm.rank, digest(fit(**given, comm=comm)) == digest(fit(**given)))
