"""Documents with a right checksum that say what `save` never says: nothing is run or allocated for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, npz
from functional_nn.saving import document
from tests.saving.archives import entries
from tests.test_value import crop

DAMAGED = r"truncated, altered, or not written by fnn\.save .*copy it again or save anew"


def forge(file: Path, value: Any, arrays: dict[str, np.ndarray] | None = None) -> None:
    text = document.written(document.Document(value, None), arrays or {})
    with file.open("wb") as stream:
        npz.write(stream, arrays or {}, {"functional_nn.json": text.encode()})


DENSE = {"call": "functional_nn.layers.dense", "arguments": {"units": 3}}
FORGED = [
    ({"call": "os.system", "arguments": {"command": "x"}}, r"it needs os\.system: pass what is your own"),
    (
        {"call": "functional_nn.data.load", "arguments": {"root": "/"}},
        r"it needs functional_nn\.data\.load: this version .* update it",
    ),
    ({"function": "functional_nn.fit"}, r"it needs functional_nn\.fit"),
    (
        {"call": "functional_nn.initializers.zeros", "arguments": {}},
        r"needs the constructor functional_nn\.initializers\.zeros, but .* is none",
    ),
    (
        {"call": "functional_nn.layers.relu", "arguments": {}},
        r"needs the constructor functional_nn\.layers\.relu, but relu is none",
    ),
    ({"constant": "functional_nn.layers.dense"}, r"needs the value functional_nn\.layers\.dense, but .* is none"),
    ({"record": "functional_nn.layers.dense", "fields": {}}, r"needs the class functional_nn\.layers\.dense, but"),
    ({"record": "functional_nn.FitResult", "fields": {}}, r"has the fields none, expected params, state, history"),
    (
        {"record": "functional_nn.optim.AdamState", "fields": {"step": 1}},
        r"has the fields step, expected step, mean, square",
    ),
    ({"call": "functional_nn.layers.dense", "arguments": {"units": -1}}, r"cannot be made: dense: units is -1"),
    (
        {"call": "functional_nn.layers.dense", "arguments": {}},
        r"cannot be made: dense: missing a required argument: 'units'",
    ),
    (
        {"call": "functional_nn.layers.dense", "arguments": {"units": 3, "unit": 1}},
        r"made with the argument unit, but this version's is dense\(units",
    ),
    ({"call": "functional_nn.serial", "arguments": {"unnamed": {"tuple": []}, "parts": [DENSE]}}, r"cannot be made"),
    ({"dict": {"a": {"array": "nowhere"}}}, r"a is the entry nowhere, which is missing or serves another place"),
    ([{"array": "once"}, {"array": "once"}], r"1 is the entry once, which is missing or serves another place"),
    ({"unknown": 1}, r"the value is stored as 'unknown', which this version does not know"),
    ({}, r"the value is stored as None"),
    ({"dict": [1]}, r"AttributeError|the value is a list, expected dict by name"),
    ({"tuple": 3}, r"the value is a int, expected a list"),
    ({"float": "never"}, r"'never' is no float"),
    ({"float": 3}, r"its float is a int, expected a name"),
    ({"scalar": "float32", "bytes": "00"}, r"is no number of NumPy's"),
    ({"scalar": "object", "bytes": "00000000"}, r"is no number of NumPy's"),
    ({"items": [[1]]}, r"the value is no list of pairs"),
    ({"items": [[[], 1]]}, DAMAGED),
    (
        {"partial": DENSE, "args": {"tuple": []}, "keywords": {"dict": {}}},
        r"is a partial of dense\(3\), expected a function",
    ),
    ({"partial": {"function": "functional_nn.initializers.zeros"}}, DAMAGED),
    (
        {
            "record": "functional_nn.Trained",
            "fields": {
                **dict.fromkeys(("params", "transform", "loss")),
                "model": 3,
                "input_shape": {"tuple": []},
                "classes": {"tuple": []},
                "about": {"dict": {}},
            },
        },
        r"cannot be made: Trained: model is a int",
    ),
]


@pytest.mark.parametrize(("value", "message"), FORGED, ids=range(len(FORGED)))
def test_a_document_that_save_never_writes_is_refused(value: Any, message: str, tmp_path: Path):
    forge(tmp_path / "v.npz", value, {"once": np.zeros(2)} if "once" in json.dumps(value) else None)
    with pytest.raises(ValueError, match=message) as caught:
        fnn.load(tmp_path / "v.npz")
    assert type(caught.value) is ValueError


def test_nodes_in_too_many_levels_are_refused(tmp_path: Path):
    node: Any = None
    for _ in range(150):
        node = [node]
    forge(tmp_path / "v.npz", node)
    with pytest.raises(ValueError, match="is nested in more than 100 levels"):
        fnn.load(tmp_path / "v.npz")


def test_the_shape_of_a_trained_network_in_a_file_allocates_nothing(tmp_path: Path):
    trained = fnn.Trained(fnn.serial(a=layers.flatten()), {}, (3, 3))
    fnn.save(tmp_path / "t.npz", trained)
    content = json.loads(entries(tmp_path / "t.npz")["functional_nn.json"])["value"]
    content["fields"]["input_shape"] = {"tuple": [10**7, 10**7]}
    forge(tmp_path / "t.npz", content)
    assert fnn.load(tmp_path / "t.npz").input_shape == (10**7, 10**7)


def test_loading_imports_nothing(tmp_path: Path):
    fnn.save(tmp_path / "v.npz", crop(2))
    program = """
import sys
import functional_nn as fnn
try:
    fnn.load(sys.argv[1])
except ValueError:
    print('tests.test_value' in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "v.npz"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"
