"""Small folders of pictures, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import functional_nn as fnn
from functional_nn.cli import main

QUICK = ("--model", "perceptron", "--size", "8", "--epochs", "3", "--workers", "1")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def quick_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of pages but in the tests of pages: to draw them takes longer than to train."""
    if request.module.__name__.endswith("test_page"):
        pytest.importorskip("matplotlib")
    else:
        monkeypatch.setattr("functional_nn.cli.page.answer_pictures", lambda *_: [])
        monkeypatch.setattr("functional_nn.cli.page.learning_pictures", lambda *_: [])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; usage errors give their code too."""

    def ran(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        return Ran(code, *capsys.readouterr())

    return ran


def save_pictures(folder: Path, n: int, level: int, seed: int = 0) -> None:
    """Write n noisy pictures (8, 8, 3) around a grey level."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng((seed, level)).integers(-20, 20, (n, 8, 8, 3))
    for i, pixels in enumerate(np.clip(level + noise, 0, 255).astype(np.uint8)):
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two classes, 20 pictures each, in a folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    save_pictures(tmp_path / "pets" / "cat", 20, 60)
    save_pictures(tmp_path / "pets" / "dog", 20, 190)
    return Path("pets")


@pytest.fixture
def net(pets: Path, run: Run) -> Path:
    """Return the file of a network that was trained on these pictures."""
    assert run("train", pets, "--out", "pets.npz", *QUICK).code == 0
    return Path("pets.npz")


def names(folder: Path = Path()) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_same_network(a: Path, b: Path) -> None:
    one, two = fnn.load(a), fnn.load(b)
    assert (one.model, one.transform, one.classes, one.loss) == (two.model, two.transform, two.classes, two.loss)
    for x, y in zip(fnn.tree.leaves(one.params), fnn.tree.leaves(two.params), strict=True):
        np.testing.assert_array_equal(x, y)


def interrupted(monkeypatch: pytest.MonkeyPatch, run: Run, *command: object) -> None:
    """Run a command line up to the end of training, and press Ctrl-C there."""
    with monkeypatch.context() as patch:
        patch.setattr("functional_nn.cli.run.scores_of", press_ctrl_c)
        ran = run(*command)
    assert ran.code == 130
    assert "the same command goes on from there" in ran.err


def press_ctrl_c(*arguments: object) -> None:
    raise KeyboardInterrupt
