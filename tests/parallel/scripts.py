"""Scripts that a test runs as a user does: in a folder of their own, from a file or from standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

# What most scripts begin with: a small problem, which takes two steps an epoch of two chunks each
BEGIN = """
import os, signal, sys, time
import numpy as np
import functional_nn as fnn
from functional_nn import layers, losses, optim

x, labels = np.random.default_rng(0).standard_normal((16, 3)).astype(np.float32), np.arange(16) % 2
model = fnn.serial(f=layers.dense(4), a=layers.tanh, o=layers.dense(2))
loss = losses.softmax_cross_entropy
script = os.getpid()

def fit(comm, model=model, epochs=2, **options):
    params = model.init(np.random.default_rng(0), (3,))
    options = {"loss": loss, "optimizer": optim.sgd(0.1), "batch_size": 8, "chunk": 4, **options}
    return fnn.fit(model, params, (x, labels), epochs=epochs, seed=0, progress=False, comm=comm, **options)

def same(a, b):
    a, b = (value[:2] if isinstance(value, fnn.FitResult) else value for value in (a, b))  # all but the history
    return all(np.array_equal(p, q) for p, q in zip(fnn.tree.leaves(a), fnn.tree.leaves(b), strict=True))
"""


def started(folder, text, *, stdin=False, **options):
    """A process that runs the text as a script in the folder, whose path its helpers' command lines hold."""
    path = folder / "script.py"
    path.write_text(BEGIN + text)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    env |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, "-" if stdin else str(path)], cwd=folder, env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, **options,
    )  # fmt: skip
    if stdin:
        process.stdin.write(BEGIN + text)
        process.stdin.close()
        process.stdin = None
    return process


def ended(process, seconds=60):
    """Its exit code, and what it wrote to standard output and to standard error."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the script hangs; it wrote\n{out}\n{err}") from None
    return process.returncode, out, err


def run(folder, text, **options):
    """What a script prints that ends well."""
    code, out, err = ended(started(folder, text, **options))
    assert (code, err) == (0, ""), err
    return out
