"""The README's examples run as they stand, and its commands are the ones that are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, run

README = ROOT / "README.md"


def test_examples_run_in_order_and_print_what_the_page_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    for step in run(README):
        printed, shown = step.compared()
        assert printed == shown, f"README.md, line {step.block.line + 1}"


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 130


def test_readme_opens_with_the_two_commands_and_the_gate_runs_the_second() -> None:
    commands = blocks(README, "sh")[0].text.splitlines()
    assert blocks(README)[0] == blocks(README, "sh")[0]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
