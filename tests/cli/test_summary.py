"""`functional-nn summary` prints what `fnn.summary` prints, for files, names and layers of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import functional_nn as fnn
from tests.cli.conftest import Run


def table(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    fnn.summary(*arguments)
    return capsys.readouterr().out


def test_a_file_tells_its_shape(net: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    out = run("summary", net).out
    assert out.startswith("Trained(\n  model: two_layer_perceptron")
    assert out.endswith(table(capsys, fnn.load(net).model, (8, 8, 3)))


def test_networks_by_name(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    expected = table(capsys, fnn.models.small_resnet(50), (32, 32, 3), 1)
    assert run("summary", "small_resnet", "--classes", 50, "--depth", 1).out == expected
    assert run("summary", "lenet5_1998").out == table(capsys, fnn.models.lenet5_1998(), (32, 32, 1))
    lenet = fnn.models.lenet5(10, fnn.layers.silu)
    assert run("summary", "lenet5", "--input-shape", "28,28,1").out == table(capsys, lenet, (28, 28, 1))


def test_layers_of_ones_own(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    out = run("summary", "functional_nn.layers:dense(3)", "--input-shape", "7").out
    assert out == table(capsys, fnn.layers.dense(3), (7,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "nothing: expected a file that train wrote, one of lenet5, improved,"),
        (("functional_nn.layers:relu",), "give --input-shape"),
        (("functional_nn.layers:relu", "--classes", "3"), "--classes is for lenet5, improved"),
        (("missing.npz",), "missing.npz"),
        (("lenet5", "--input-shape", "32;32"), "expected whole numbers without the batch axis"),
        (("lenet5", "--input-shape", "5,5,1"), "lenet5"),
        (("lenet5", "--filter", "x*"), "summary: "),
    ],
)
def test_what_does_not_fit_is_told(arguments: tuple[str, ...], message: str, run: Run) -> None:
    ran = run("summary", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
