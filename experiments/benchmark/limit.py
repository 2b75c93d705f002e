"""The limit of a step, which is the machine's matrix product rate, and the growth of time and memory."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc
from statistics import median
from typing import Any

import numpy as np

from experiments.benchmark.contestants.ours import stepper
from experiments.benchmark.works import NETWORKS, SHAPES, Work
from experiments.running.machine import seconds
from functional_nn import anatomy, layers, serial

BATCHES = tuple(2**i for i in range(13))
SIZES = (16, 32, 64, 128)


def sgemm_rate() -> float:
    """Return the multiply-adds a second of a float32 product of 1024 x 1024 matrices on all cores."""
    a = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)
    return 1024**3 / min(seconds(lambda: a @ a, 20, warmup=1))


def step_multiply_adds(network: str) -> int:
    """Return the multiply-adds of one example's training step: forward, to the weights, and to the inputs.

    The first layer with weights has none to its inputs.
    """
    model = NETWORKS[network]()
    params = model.init(np.random.default_rng(0), SHAPES[network])
    counts = [anatomy.multiply_adds(leaf, params) for leaf in anatomy.leaf_layers(model, SHAPES[network])]
    weighted = [count for count in counts if count]
    return 3 * sum(weighted) - weighted[0]


def growth() -> dict[str, Any]:
    """Return LeNet-5's milliseconds by batch, a convolution's by image size, and the exponents over the larger half."""
    by_batch = {n: 1e3 * median(seconds(_lenet5_step(n), 10, warmup=1)) for n in BATCHES}
    by_size = {size: 1e3 * median(seconds(_conv_step(size), 10, warmup=1)) for size in SIZES}
    return {
        "ms_by_batch": by_batch,
        "exponent_of_batch": _exponent(by_batch),
        "ms_by_size": by_size,
        "exponent_of_size": _exponent(by_size),
    }


def peak_memory() -> dict[str, float]:
    """Return the MiB that a step of LeNet-5 allocates at its peak, without the batch, at batches 512 and 8192."""
    peaks = {}
    for n in (512, 8192):
        step = _lenet5_step(n)
        step()
        tracemalloc.start()
        step()
        peaks[str(n)] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    return peaks


def import_ms(times: int = 9) -> float:
    """Return the milliseconds that importing functional_nn adds to importing NumPy, the median of new processes."""
    code = (
        "import numpy; from time import perf_counter; began = perf_counter(); import functional_nn; "
        "print(1e3 * (perf_counter() - began))"
    )
    return median(float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(times))


def cold_start_ms(peers: list[str], times: int = 5) -> dict[str, float]:
    """Return the milliseconds from a new process to the end of the first training step of LeNet-5, batch 128."""
    contestants = ["threads", *(peer for peer in peers if peer in ("torch", "jax"))]
    code = (
        "from time import perf_counter; began = perf_counter(); from contextlib import ExitStack; "
        "from experiments.benchmark.stopwatch import _prepare; from experiments.benchmark.works import Work; "
        "_prepare({name!r}, Work('lenet5', 'train', 128), ExitStack())(1); print(1e3 * (perf_counter() - began))"
    )
    runs = {name: [sys.executable, "-c", code.format(name=name)] for name in contestants}
    return {
        name: median(float(subprocess.check_output(run, text=True)) for _ in range(times)) for name, run in runs.items()
    }


def _lenet5_step(batch: int) -> Any:
    return stepper(NETWORKS["lenet5"](), SHAPES["lenet5"], Work("lenet5", "train", batch))


def _conv_step(size: int) -> Any:
    model = serial(c=layers.conv2d(8, 3), a=layers.relu, d=layers.conv2d(8, 3))
    params = model.init(np.random.default_rng(0), (size, size, 3))
    x = np.random.default_rng(0).standard_normal((8, size, size, 3)).astype(np.float32)

    def step() -> None:
        y, pullback = model.vjp(params, x, wrt_x=False)
        pullback(y)

    return step


def _exponent(ms: dict[int, float]) -> float:
    """Return the slope of log time against log size over the larger half of the sizes."""
    large = sorted(ms)[len(ms) // 2 :]
    return float(np.polyfit([math.log(size) for size in large], [math.log(ms[size]) for size in large], 1)[0])
