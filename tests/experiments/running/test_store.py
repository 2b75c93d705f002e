"""What is kept of runs: damage is noticed, writers do not disturb each other, and code is known by its digest."""

from __future__ import annotations

import multiprocessing
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn
from experiments.autopsy.course import train_variant
from experiments.report.rows import heavy_ball
from experiments.reproduce.pages import reproduction_page
from experiments.running import store as store_module
from experiments.running.options import InputError
from experiments.running.outcome import Outcome
from experiments.running.store import Store, code
from experiments.running.training import train_and_test
from functional_nn import data, layers, optim

OUTCOME = Outcome({"val": 0.25, "history": [{"loss": 1.5}]}, {"x": np.arange(6.0), "y": np.eye(2, dtype=np.float32)})


def stored(directory):
    """Return a store with one run, and its file."""
    store = Store(directory)
    store.add("run", {"seed": 0}, OUTCOME)
    (file,) = directory.iterdir()
    return store, file


def damaged(content):
    """Yield the content with bytes changed, removed, added and repeated."""
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 150):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        yield bytes(changed)
    for place in rng.integers(0, len(content), 50):
        yield content[:place]
        yield content[:place] + content[place + 1 :]
        yield content[:place] + content[place // 2 :]
    yield from (b"", b"{", b"[]", b"null", b'"text"', b"7", b"[" * 100_000, b'{"record": {}, "digest": 7}', b"\xff")


def find(store):
    """Return the run, or what the store says of it."""
    try:
        return store.find("run", {"seed": 0})
    except InputError as error:
        return str(error)


def test_a_run_comes_back_with_the_same_bits_and_its_network(tmp_path):
    model = fnn.serial(f=layers.flatten(), d=layers.dense(2))
    params = model.init(np.random.default_rng(0), (2, 2, 1))
    network = fnn.Trained(model, params, (2, 2, 1), transform=data.standardize_by((1.0,), (2.0,)))
    store, configuration = Store(tmp_path), {"seed": 0, "shapes": {"train": [6, 2]}, "settings": None}
    store.add("run", configuration, Outcome(OUTCOME.record, OUTCOME.arrays, network))
    found, x = Store(tmp_path).find("run", configuration), np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    assert found.record == OUTCOME.record
    assert {name: array.tobytes() for name, array in found.arrays.items()} == {
        name: array.tobytes() for name, array in OUTCOME.arrays.items()
    }
    assert found.network.predict(x).tobytes() == network.predict(x).tobytes()


def test_a_damaged_file_is_named_or_the_run_is_as_it_was(tmp_path):
    """Item D5: a damaged file ended in a trace, or its figures were taken for right ones."""
    store, file = stored(tmp_path)
    whole, refused = file.read_bytes(), 0
    for content in damaged(whole):
        file.write_bytes(content)
        answer = find(store)
        if isinstance(answer, str):
            assert str(file) in answer
            assert answer.startswith("delete this file, and the command repeats the run")
            refused += 1
        else:
            assert answer.record == OUTCOME.record
            assert {name: array.tobytes() for name, array in answer.arrays.items()} == {
                name: array.tobytes() for name, array in OUTCOME.arrays.items()
            }
    assert refused > 100
    file.write_bytes(whole)
    np.testing.assert_array_equal(store.find("run", {"seed": 0}).arrays["x"], OUTCOME.arrays["x"])


@pytest.mark.parametrize("value", [{"a": 1}, [1], {"name": "run", "configuration": {"seed": 1}}])
def test_a_file_of_something_else_under_a_runs_name_is_refused(value, tmp_path):
    store, file = stored(tmp_path)
    fnn.save(file, value)
    assert f"{file} holds something else" in find(store)


def test_runs_of_an_older_version_are_refused_with_what_to_do(tmp_path):
    """The older store: a JSON file and an .npz file of arrays a run, without the network."""
    (tmp_path / "lenet5-seed-0-0123456789abcdef.json").write_text('{"record": {}, "digest": ""}', encoding="utf-8")
    np.savez(tmp_path / "lenet5-seed-0-0123456789abcdef-0123456789abcdef.npz", test_outputs=np.eye(3))
    with pytest.raises(InputError, match=r"older version, which kept no networks .*: delete this directory .* --out"):
        Store(tmp_path)


def test_a_run_of_other_code_is_known_and_not_used(tmp_path):
    store = Store(tmp_path)
    store.add("run", {"seed": 0, "code": "0123"}, OUTCOME)
    for configuration, known in (({"seed": 0, "code": "4567"}, True), ({"seed": 1, "code": "4567"}, False)):
        assert store.find("run", configuration) is None
        assert store.has_of_other_code("run", configuration) is known
    assert not store.has_of_other_code("run", {"seed": 0, "code": "0123"})


def write_many(directory, number):
    store = Store(Path(directory))
    for i in range(60):
        store.add("run", {"seed": i % 3}, Outcome({"writer": number}, {"x": np.full(1000, number)}))
        outcome = store.find("run", {"seed": i % 3})
        if outcome is not None and not (outcome.arrays["x"] == outcome.record["writer"]).all():
            os._exit(3)


def test_two_commands_can_write_the_same_runs_at_once(tmp_path):
    """Item D5: two runs at once in one directory crashed on one name of an unfinished file."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(str(tmp_path), number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert not list(tmp_path.glob(".*"))


def test_the_code_is_known_wherever_the_library_lies(tmp_path, monkeypatch):
    """Item B14: below any directory called `testing` the library was left out of the digest."""
    library = tmp_path / "testing" / "functional_nn"
    (library / "testing").mkdir(parents=True)
    source, checker = library / "layer.py", library / "testing" / "check.py"
    for file in (source, checker):
        file.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(store_module.fnn, "__file__", str(library / "__init__.py"))
    before = code()
    checker.write_text("x = 2\n", encoding="utf-8")
    assert code() == before
    source.write_text("x = 2\n", encoding="utf-8")
    assert code() != before


def sources(function):
    """Return the names of the sources of experiments that the digest of a function's code holds."""
    return set(store_module._with_imports(function.__module__))


def test_the_code_of_a_run_is_all_that_it_imports_and_no_more():
    """Item B14's class: a list of files by name leaves out what is added later."""
    training = sources(train_and_test)
    assert {"experiments.running.training", "experiments.running.row", "experiments.running.splits"} < training
    assert not any("showing" in name or "options" in name for name in training)
    defects = {name for name in sources(train_variant) if "defects" in name}
    assert {f"experiments.autopsy.defects.{name}" for name in ("catalogue", "pool", "weighted", "centring")} < defects
    assert "experiments.report.rows" in sources(train_variant)


def test_code_differs_between_functions_of_different_modules():
    assert len({code(), code(train_and_test), code(train_variant), code(heavy_ball), code(reproduction_page)}) == 5
    assert code(partial(heavy_ball, 0.1)) == code(heavy_ball)
    assert code(optim.sgd) != ""


def test_code_of_a_function_without_a_source_file_is_refused():
    namespace = {"__name__": "nowhere"}
    exec("def work(): pass", namespace)
    with pytest.raises(ValueError, match="nowhere, which has no source file here"):
        code(namespace["work"])
