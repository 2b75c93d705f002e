"""Which examples hypothesis draws: the same in every run of the gate, new ones on a developer's machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAILING = """
from hypothesis import given, strategies as st

@given(st.integers(0, 2**62))
def test_a_drawn_number(number):
    with open("drawn", "a") as file:
        print(number, file=file)
    assert number < 1000
"""


def run(tmp_path, name, **environment):
    """Run a test that fails under the tests' own conftest; return the numbers it drew and what pytest printed."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "test_drawn.py").write_text(FAILING)
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "HYPOTHESIS_PROFILE")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(folder)]
    root = Path(__file__).parents[1]
    environment |= {"PYTHONPATH": str(root), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "database")}
    ended = subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return (folder / "drawn").read_text(), ended.stdout


@pytest.mark.parametrize("gate", [{"CI": "true"}, {"HYPOTHESIS_PROFILE": "ci"}])
def test_the_gate_draws_the_same_examples_in_every_run(tmp_path, gate):
    (first, _), (again, _) = run(tmp_path, "first", **gate), run(tmp_path, "again", **gate)
    assert first == again


@pytest.mark.parametrize("named", [{}, {"CI": "true", "HYPOTHESIS_PROFILE": "dev"}])
def test_a_developers_runs_draw_new_examples_and_print_how_to_repeat_a_failure(tmp_path, named):
    (first, printed), (other, _) = run(tmp_path, "first", **named), run(tmp_path, "other", **named)
    assert first != other
    assert "@reproduce_failure(" in printed
