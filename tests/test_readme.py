"""The README's examples run as they stand, and its commands are the ones that are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def list_without(lines: list[str], start: str) -> list[str]:
    """Return the lines, with the one that begins with `start` moved to the end."""
    return sorted(lines, key=lambda line: line.startswith(start))


def test_examples_run_in_order_and_print_what_they_promise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)  # the examples write a file
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    accuracy, printed_layer, *more, printed_values = list_without(capsys.readouterr().out.splitlines(), "scale(start")
    assert float(accuracy) > 0.95
    assert printed_layer == "conv2d(6, 5, padding=2)"
    assert printed_values == "scale(start=0.5) True False"
    error = blocks("text")[0].splitlines()
    summary, printed_error = more[: -len(error)], more[-len(error) :]
    assert summary[0].split() == ["path", "layer", "output", "parameters", "multiply-adds", "bytes", "kept"]
    assert summary[-1].split()[0] == "small_resnet"
    assert printed_error == error


def test_readme_opens_with_the_two_commands_and_the_gate_runs_the_second() -> None:
    commands = blocks("sh")[0].splitlines()
    assert README.startswith("# functional_nn\n\n```sh\n")
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_file_that_the_readme_links_is_there() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(targets) > 5
    for target in targets:
        assert (ROOT / target).exists(), target
