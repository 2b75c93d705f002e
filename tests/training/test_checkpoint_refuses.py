"""A checkpoint of another run is refused with what differs, and what cannot be kept is refused before any epoch."""

import errno
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import initializers, layers, losses, optim, tree
from functional_nn.data import DataError, chain, random_shift, standardize
from tests.training.test_checkpoint import names

RNG = np.random.default_rng(0)
X, LABELS = RNG.integers(0, 256, (40, 6, 6, 1), dtype=np.uint8), RNG.integers(0, 3, 40)


MODEL = fnn.serial(
    flat=layers.flatten(), f=layers.dense(4, w_init=initializers.he_normal), a=layers.relu, o=layers.dense(3)
)
PARAMS = MODEL.init(np.random.default_rng(0), X.shape[1:])
PREPARE = chain(random_shift(1), standardize(X))


def fit(path, *, model=MODEL, params=None, train=(X, LABELS), epochs=2, **options):
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.adam(1e-2), "batch_size": 10, **options}
    options = {"seed": 0, "transform": PREPARE, "validation": (X[:10], LABELS[:10]), "progress": False, **options}
    return fnn.fit(model, params, train, epochs=epochs, checkpoint=path, **options)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "run.npz"
    fit(path, params=PARAMS, epochs=1)
    return path


def changed(array):
    return np.where(np.arange(array.size).reshape(array.shape) == 7, array + 1, array).astype(array.dtype)


def with_part(**parts):
    return fnn.serial(**{**MODEL.call.arguments["parts"], **parts})


def scaled(x, key):
    return x.astype(np.float32) / 255


SUMS = r"sha256 [0-9a-f]{32}"
OTHER = {
    "a part's argument": (
        {"model": with_part(f=layers.dense(4))},
        r"model\.parts\.f\.w_init: .* given, initializers\.he_normal in the file",
    ),
    "a part's size": (
        {"model": with_part(f=layers.dense(5, w_init=initializers.he_normal))},
        r"model\.parts\.f\.units: 5 given, 4 in the file",
    ),
    "a part": ({"model": with_part(a=layers.tanh)}, r"model\.parts\.a: layers\.tanh given, layers\.relu in the file"),
    "one part more": ({"model": with_part(z=layers.relu)}, r"model\.parts: \{flat: .*given, \{flat: .* in the file"),
    "loss": (
        {"loss": losses.cross_entropy(label_smoothing=0.1)},
        r"loss: losses\.cross_entropy\(.* given, losses\.softmax_cross_entropy in the file",
    ),
    "optimizer": ({"optimizer": optim.sgd(0.1)}, r"optimizer: optim\.sgd\(learning_rate=0\.1, .* given, optim\.adam\("),
    "its number": ({"optimizer": optim.adam(2e-2)}, r"optimizer\.learning_rate: 0\.02 given, 0\.01 in the file"),
    "its schedule": (
        {"optimizer": optim.adam(optim.cosine(1e-2, steps=9))},
        r"optimizer\.learning_rate: optim\.cosine\(.* given, 0\.01 in the file",
    ),
    "transform": ({"transform": standardize(X)}, r"transform: data\.standardize_by\(.* given, data\.chain\("),
    "a function": ({"transform": scaled}, r"transform: tests\.\S*\.scaled given, data\.chain\("),
    "transform's numbers": (
        {"transform": chain(random_shift(1), standardize(X // 2))},
        r"transform\.transforms\.1\.mean\.0: 61\.9\d* given, 124\.4\d* in the file",
    ),
    "inputs": (
        {"train": (changed(X), LABELS)},
        rf"data\.inputs: uint8 of shape \(40, 6, 6, 1\), {SUMS} given, uint8 of shape \(40, 6, 6, 1\), {SUMS} in",
    ),
    "inputs' shape": ({"train": (X[:30], LABELS[:30])}, r"data\.inputs: uint8 of shape \(30, .* uint8 of shape \(40,"),
    "inputs' dtype": ({"train": (X.astype(np.int16), LABELS)}, r"data\.inputs: int16 of .* given, uint8 of shape"),
    "targets": ({"train": (X, LABELS[::-1])}, r"data\.targets: int64 of shape \(40,\), "),
    "validation": ({"validation": (X[:9], LABELS[:9])}, r"validation\.inputs: uint8 of shape \(9, 6, 6, 1\)"),
    "no validation": ({"validation": None}, r"validation: None given, \{inputs: uint8 of shape"),
    "batch size": ({"batch_size": 20}, r"batch_size: 20 given, 10 in the file"),
    "chunk": ({"chunk": 5}, r"chunk: 5 given, None in the file"),
    "seed": ({"seed": 1}, r"seed\.0: 1 given, 0 in the file"),
    "a longer seed": ({"seed": (0, 1)}, r"seed: \(0, 1\) given, \(0\) in the file"),
    "params": ({"params": tree.map(np.negative, PARAMS)}, rf"start\.params: 163 numbers, {SUMS} given, 163 numbers"),
}  # fmt: skip


TWO_PLACES = {"transform's numbers", "inputs' shape", "validation"}  # mean and std, inputs and targets


@pytest.mark.parametrize("name", OTHER)
def test_what_differs_is_named_and_the_file_stays(kept, name):
    (options, message), before = OTHER[name], kept.read_bytes()
    with pytest.raises(ValueError, match=r"^\S*run\.npz: this checkpoint is of another run:\n  ") as caught:
        fit(kept, **options)
    _, *lines, remedy = str(caught.value).split("\n")
    assert re.match("  " + message, lines[0]), lines
    assert len(lines) == (2 if name in TWO_PLACES else 1), lines
    assert remedy.startswith("name another file for this run, or give")
    assert kept.read_bytes() == before


def test_all_that_differs_is_listed(kept):
    with pytest.raises(ValueError, match=r"another run:\n  batch_size: 5 .*\n  chunk: 5 .*\n  seed\.0: 3 .*\nname"):
        fit(kept, batch_size=5, chunk=5, seed=3)


def test_what_is_the_same_by_content_goes_on(kept):
    again = np.array(X.astype(">u1"), order="F"), LABELS.astype(">i8")
    result = fit(kept, train=again, seed=(np.int64(0),), batch_size=np.int64(10), epochs=1, workers=1)
    assert len(result.history) == 1


def test_a_memory_map_is_the_array_that_it_maps(kept, tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert len(fit(kept, train=(np.load(tmp_path / "x.npy", mmap_mode="r"), LABELS), epochs=1).history) == 1


def closure():
    def prepare(x, key):
        return scaled(x, key)

    return prepare


HAND_MADE = fnn.Layer("mine", vjp=lambda params, x, *, key=None, wrt_x=True: (x, lambda dy: ({}, dy)))
UNNAMED = {
    "layer": (
        {"model": with_part(a=HAND_MADE)},
        r"model\.parts\.a is the Layer mine, which no constructor made, .*write a function .*@fnn\.constructor",
    ),
    "lambda": (
        {"transform": lambda x, key: scaled(x, key)},
        r"transform is a lambda: to save it, define it at the top",
    ),
    "closure": ({"transform": closure()}, r"transform is prepare, which stands in another function: to save it"),
    "schedule": ({"optimizer": optim.sgd(lambda step: 0.1)}, r"optimizer\.learning_rate is a lambda: to save it"),
}


@pytest.mark.parametrize(("options", "message"), UNNAMED.values(), ids=UNNAMED)
def test_what_no_file_can_name_is_refused_before_any_epoch(options, message, tmp_path):
    with pytest.raises(TypeError, match=rf"^fit: a checkpoint says what its run is made of, but {message}"):
        fit(tmp_path / "run.npz", params=PARAMS, callback=pytest.fail, **options)
    assert names(tmp_path) == []


def test_a_path_that_cannot_be_written_is_refused_before_any_epoch(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    refusals = [
        (tmp_path / "run.pickle", ValueError, r"must end in \.npz or \.safetensors"),
        (tmp_path / "no/run.npz", FileNotFoundError, r"No such file or directory .*nothing was written.*no/run\.npz"),
        (tmp_path / "folder.npz", DataError, "this is a directory"),
        (3, TypeError, "fit: checkpoint is a int, expected the path of a file"),
        (b"run.npz", TypeError, "fit: checkpoint is a bytes"),
    ]
    for path, error, message in refusals:
        with pytest.raises(error, match=message):
            fit(path, params=PARAMS, callback=pytest.fail)
    assert names(tmp_path) == ["folder.npz"]


def test_a_file_that_is_no_checkpoint_is_refused_and_stays(tmp_path):
    path = tmp_path / "run.npz"
    result = fit(tmp_path / "other.npz", params=PARAMS, epochs=1)
    for value in (result, PARAMS):
        fnn.save(path, value)
        before = path.read_bytes()
        with pytest.raises(
            ValueError, match=r"run\.npz: fit did not write this file as a checkpoint: .*resume=fnn\.load"
        ):
            fit(path, params=PARAMS)
        assert path.read_bytes() == before
    path.write_bytes(before[:-40])
    with pytest.raises(ValueError, match=r"truncated, altered, or not written by fnn\.save"):
        fit(path, params=PARAMS)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_fails_ends_training_and_keeps_the_epoch_before(error, tmp_path, monkeypatch):
    path, synced = tmp_path / "run.npz", []

    def failing(descriptor):
        synced.append(descriptor)
        if len(synced) == 4:  # the trial, two epochs, and now the third
            raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="fit: epoch 3 cannot be kept: ") as caught:
        fit(path, params=PARAMS, epochs=5)
    assert caught.value.errno == error
    assert os.strerror(error) in str(caught.value)
    assert "call fit as before, which goes on from the last epoch that is kept" in str(caught.value)
    assert len(fnn.load(path).history) == 2
    assert names(tmp_path) == ["run.npz"]
    whole, resumed = fit(None, params=PARAMS, epochs=5), fit(path, params=PARAMS, epochs=5)
    tree.map(np.testing.assert_array_equal, (whole.params, whole.state), (resumed.params, resumed.state))


FULL = """
import resource, sys
from tests.training.test_checkpoint_refuses import PARAMS, fit

def fill(result):
    if len(result.history) == 2:  # from now on no file may be longer than the third of a checkpoint
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))

fit(sys.argv[1], params=PARAMS, epochs=5, callback=fill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sets RLIMIT_FSIZE")
def test_a_file_that_the_system_cuts_off_ends_training_and_keeps_the_epoch_before(tmp_path):
    path = tmp_path / "run.npz"
    run = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "OSError: [Errno 27] fit: epoch 3 cannot be kept: File too large" in run.stderr
    assert path.stat().st_size > 6_000
    assert len(fnn.load(path).history) == 2
    assert names(tmp_path) == ["run.npz"]
