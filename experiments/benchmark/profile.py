"""Where the time of a training step goes: each part of a model on one thread, and a chunk on one thread and on two."""

from __future__ import annotations

from statistics import median
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import functional_nn as fnn
from experiments.benchmark.works import NETWORKS, Work
from functional_nn import losses

CHUNK = 64  # images of a large batch that one thread takes at a time


def profile(network: str, steps: int = 40) -> dict[str, tuple[float, float]]:
    """Return {part: (forward, backward)}, medians in milliseconds over steps on one chunk; "whole" is a whole step."""
    model, (x, labels) = NETWORKS[network](), Work(network, "train", CHUNK).draw()
    params = model.init(np.random.default_rng(0), x.shape[1:])
    whole = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    records: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name, _ in model.parts}
    totals = []
    with threadpool_limits(1, user_api="blas"):
        for _ in range(steps):
            _record(model, params, x, records)
            began = perf_counter()
            whole(params, x, labels)
            totals.append(perf_counter() - began)
    parts = {name: (1e3 * median(f), 1e3 * median(b or [0.0])) for name, (f, b) in records.items()}
    return {**parts, "whole": (1e3 * median(totals), 0.0)}


def on_threads(network: str, steps: int = 100) -> dict[str, tuple[float, float]]:
    """Return the medians {"1 thread": (milliseconds of a chunk, of processor time), "2 threads": ...}."""
    model, (x, labels) = NETWORKS[network](), Work(network, "train", 2 * CHUNK).draw()
    params = model.init(np.random.default_rng(0), x.shape[1:])
    whole = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    taken: list[tuple[float, float]] = []

    def timed(*arguments: Any, key: Any = None) -> Any:
        began, worked = perf_counter(), thread_time()
        result = whole(*arguments, key=key)
        taken.append((1e3 * (perf_counter() - began), 1e3 * (thread_time() - worked)))
        return result

    medians = {}
    for workers in (1, 2):
        step = fnn.data_parallel(timed, workers=workers, chunk=CHUNK)
        step(params, x, labels)
        taken.clear()
        for _ in range(steps):
            step(params, x, labels)
        passed, worked = zip(*taken, strict=True)
        medians[f"{workers} thread{'s'[: workers - 1]}"] = (median(passed), median(worked))
    return medians


def _record(
    model: fnn.Layer,
    params: dict[str, dict[str, np.ndarray]],
    x: np.ndarray,
    records: dict[str, tuple[list[float], list[float]]],
) -> None:
    pullbacks, needed = [], False
    for name, part in model.parts:
        began = perf_counter()
        x, pullback = part.vjp(params.get(name, {}), x, wrt_x=needed)
        records[name][0].append(perf_counter() - began)
        needed = needed or name in params
        if needed:
            pullbacks.append((name, pullback))
    dx = x
    for name, pullback in reversed(pullbacks):
        began = perf_counter()
        _, dx = pullback(dx)
        records[name][1].append(perf_counter() - began)


def show(network: str, parts: dict[str, tuple[float, float]]) -> str:
    """Return the profile as lines of text."""
    total = parts["whole"][0]
    lines = [f"{network}, one thread, {CHUNK} images: {total:.2f} ms a step; by part, ms forward + backward:"]
    lines += [
        f"  {name:<8}{f:6.2f} +{b:6.2f}  {(f + b) / total:4.0%}" for name, (f, b) in parts.items() if name != "whole"
    ]
    return "\n".join(lines)
