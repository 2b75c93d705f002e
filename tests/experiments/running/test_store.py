"""What is kept of runs: damage is noticed, writers do not disturb each other, and code is known by its digest."""

from __future__ import annotations

import multiprocessing
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from experiments.autopsy.course import train_variant
from experiments.report.rows import heavy_ball
from experiments.reproduce.pages import reproduction_page
from experiments.running import store as store_module
from experiments.running.options import InputError
from experiments.running.outcome import Outcome
from experiments.running.store import Store, code
from experiments.running.training import train_and_test
from functional_nn import optim

OUTCOME = Outcome({"val": 0.25, "history": [{"loss": 1.5}]}, {"x": np.arange(6.0), "y": np.eye(2, dtype=np.float32)})


def stored(directory):
    """Return a store with one run, and its two files."""
    store = Store(directory)
    store.add("run", {"seed": 0}, OUTCOME)
    return store, next(directory.glob("*.json")), next(directory.glob("*.npz"))


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


@pytest.mark.parametrize("part", [0, 1], ids=["json", "npz"])
def test_a_damaged_file_is_named_or_the_run_is_as_it_was(part, tmp_path):
    """Item D5: a damaged file ended in a trace, or its figures were taken for right ones."""
    store, *files = stored(tmp_path)
    whole, refused = files[part].read_bytes(), 0
    for content in damaged(whole):
        files[part].write_bytes(content)
        answer = find(store)
        if isinstance(answer, str):
            assert str(files[0]) in answer
            assert "delete both" in answer
            refused += 1
        else:
            assert answer is None or answer.record == OUTCOME.record
    assert refused > 100
    files[part].write_bytes(whole)
    np.testing.assert_array_equal(store.find("run", {"seed": 0}).arrays["x"], OUTCOME.arrays["x"])


def test_a_run_whose_arrays_are_gone_is_not_finished(tmp_path):
    store, _, arrays = stored(tmp_path)
    arrays.unlink()
    assert store.find("run", {"seed": 0}) is None


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
