"""The README's examples run as they stand, and its commands are the ones that are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, run

README = ROOT / "README.md"


def list_without(lines: list[str], start: str) -> list[str]:
    """Return the lines, with the one that begins with `start` moved to the end."""
    return sorted(lines, key=lambda line: line.startswith(start))


def test_examples_run_in_order_and_print_what_they_promise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)  # the examples write a file
    printed = "".join(step.printed for step in run(README))
    accuracy, printed_layer, *more, printed_values = list_without(printed.splitlines(), "scale(start")
    assert float(accuracy) > 0.95
    assert printed_layer == "conv2d(6, 5, padding=2)"
    assert printed_values == "scale(start=0.5) True False"
    error = blocks(README, "text")[0].text.splitlines()
    summary, printed_error = more[: -len(error)], more[-len(error) :]
    assert summary[0].split() == ["path", "layer", "output", "parameters", "multiply-adds", "bytes", "kept"]
    assert summary[-1].split()[0] == "small_resnet"
    assert printed_error == error


def test_readme_opens_with_the_two_commands_and_the_gate_runs_the_second() -> None:
    commands = blocks(README, "sh")[0].text.splitlines()
    assert README.read_text(encoding="utf-8").startswith("# functional_nn\n\n```sh\n")
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
