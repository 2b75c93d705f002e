"""The machine's facts are found without a change to anything."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from experiments.running import machine


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_told_with_a_mark_for_changes_and_git_writes_nothing(tmp_path, monkeypatch):
    """`git describe --dirty` renews the index: killed at that, as on a full disk, it left a lock in the repository."""

    def git(*words):
        named = ["-c", "user.name=name", "-c", "user.email=name@example.org"]
        return subprocess.run(["git", *named, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine._commit() is None
    file, index = tmp_path / "file", tmp_path / ".git" / "index"
    file.write_text("one", encoding="utf-8")
    git("init", "-q")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "--short=12", "HEAD").strip()
    os.utime(file, (0, 0))  # what the index says of the file is old now, though the file is the same
    before = index.stat().st_mtime_ns
    assert machine._commit() == commit
    file.write_text("two", encoding="utf-8")
    assert machine._commit() == f"{commit}-dirty"
    assert index.stat().st_mtime_ns == before
