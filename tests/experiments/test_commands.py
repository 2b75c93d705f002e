"""Every command answers what it cannot do in a line that says what to do (item F), without a trace."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys

import pytest

from experiments.benchmark import __main__ as benchmark
from experiments.mutants import __main__ as mutants
from experiments.running.options import MOST_SEED, base_parser
from tests.experiments.conftest import MISSING

needs_experiments = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed")
DATA = {"mnist", "resnet", "search"}  # commands whose --data has no default
COMMANDS = ("autoencoder", "autopsy", "benchmark", "mnist", "mutants", "reproduce", "resnet", "scaling", "search")
RUNS = ("autopsy", "mnist", "reproduce", "resnet", "search")


def main_of(command):
    try:
        return importlib.import_module(f"experiments.{command}.__main__").main
    except ModuleNotFoundError:
        return importlib.import_module(f"experiments.{command}").main


def arguments_of(command, *more):
    return [*(("--data", "digits") if command in DATA else ()), *more]


def refusal(command, arguments, capsys):
    """Return what a command writes on standard error when it refuses its arguments."""
    with pytest.raises(SystemExit) as stopped:
        main_of(command)(arguments_of(command, *arguments))
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"autoencoder", "benchmark", "scaling"}))
def test_no_workers_are_refused(command, tmp_path, capsys):
    error = refusal(command, ["--workers", "0", "--out", str(tmp_path)], capsys)
    assert "argument --workers: '0': expected a whole number from 1 to 1,000,000" in error


@pytest.mark.parametrize("command", COMMANDS)
def test_an_out_that_is_a_file_is_refused_before_any_work(command, tmp_path, capsys):
    file = tmp_path / "out"
    file.write_text("kept", encoding="utf-8")
    assert f"File exists: '{file}'" in refusal(command, ["--out", str(file)], capsys)
    assert "Not a directory" in refusal(command, ["--out", str(file / "below")], capsys)
    assert file.read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"autoencoder", "benchmark", "scaling"}))
@pytest.mark.parametrize("seed", ["4294967296", "1" + 40 * "0", 5000 * "9", "-1", "1.5"])
def test_a_huge_seed_is_refused(command, seed, tmp_path, capsys):
    error = refusal(command, [f"--seed={seed}", "--out", str(tmp_path)], capsys)
    assert "expected a whole number from 0 to 4,294,967,295" in error
    assert len(error) < 1500


@pytest.mark.parametrize("command", RUNS)
def test_seeds_that_go_on_beyond_the_largest_are_refused(command, tmp_path, capsys):
    arguments = ["--seed", str(MOST_SEED), "--seeds", "2", "--out", str(tmp_path)]
    assert "seeds end at 4,294,967,295" in refusal(command, arguments, capsys)


@needs_experiments
def test_the_largest_seed_can_be_used(splits, tmp_path):
    from experiments.report.rows import rows_as
    from experiments.running.training import run_row

    for row in rows_as("tuned", epochs=1):
        if row.name in ("sklearn_perceptron", "lenet5_grad"):
            assert run_row(row, splits, seed=MOST_SEED, threads=1).record["seed"] == MOST_SEED
    arguments = ["--subjects", "flatten", "--right", "4", "--workers", "1"]
    mutants.main([*arguments, "--seed", str(MOST_SEED), "--out", str(tmp_path)])


WITHOUT = """
import runpy, sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None  # as if it were not installed
sys.argv[0] = ""
runpy.run_module(f"experiments.{sys.argv.pop(1)}", run_name="__main__")
"""


def run_without(modules, command, *arguments):
    words = [sys.executable, "-c", WITHOUT, modules, command, *arguments_of(command, *arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("command", "modules", "line"),
    [
        *((command, "joblib,tqdm", "this needs joblib, which is not installed: run pip install -e '.[experiments]'")
          for command in RUNS),
        *((command, "matplotlib", "run pip install -e '.[experiments]'")
          for command in (*RUNS, "benchmark", "scaling")),
        ("search", "jinja2", "this needs jinja2, which is not installed: run pip install -e '.[experiments]'"),
        *(("mutants", name, f"this needs {name}, which is not installed: run pip install -e '.[test]'")
          for name in ("joblib", "tqdm", "hypothesis")),
    ],
)  # fmt: skip
@needs_experiments
def test_a_missing_extra_is_named_with_a_command_that_works_in_a_clone(command, modules, line, tmp_path):
    finished = run_without(modules, command, "--out", str(tmp_path))
    assert finished.returncode == 2
    assert line in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_extra(command):
    finished = run_without("joblib,tqdm,matplotlib,hypothesis,sklearn,PIL", command, "--help")
    assert finished.returncode == 0
    assert f"usage: python -m experiments.{command}" in finished.stdout


def test_a_package_of_no_extra_that_is_missing_is_a_bug_and_keeps_its_trace():
    from experiments.running.options import answered

    with pytest.raises(ModuleNotFoundError, match="nowhere"), answered(base_parser("mutants", "?")):
        importlib.import_module("experiments.nowhere")


@needs_experiments
@pytest.mark.parametrize("peer", ["torch", "jax", "sklearn"])
def test_a_peer_that_is_asked_for_and_not_installed_is_refused(peer, tmp_path, monkeypatch, capsys):
    """Item F: an empty picture was "written"."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == peer else find(name))
    monkeypatch.setattr("experiments.benchmark.run.benchmark", lambda *arguments, **keywords: None)
    error = refusal("benchmark", ["--peers", peer, "--out", str(tmp_path)], capsys)
    extra = "experiments" if peer == "sklearn" else "bench"
    assert f"this needs {peer}, which is not installed: run pip install -e '.[{extra}]'" in error
    assert not list(tmp_path.iterdir())


def test_peers_that_are_not_installed_are_left_out_and_named(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("torch", "jax") else find(name))
    assert not {"torch", "jax"} & set(benchmark._installed_peers())
    assert "torch is left out: this needs torch" in capsys.readouterr().out


@needs_experiments
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize(
    ("command", "arguments", "lines", "answer"),
    [
        ("mutants", ["--workers", "2"], 1, "interrupted: nothing is written"),
        ("benchmark", ["--peers", "sklearn"], 2, "interrupted: nothing is written"),
        ("resnet", ["--epochs", "1000"], 1, "the same command goes on from there"),
    ],
)
def test_an_interrupt_from_the_keyboard_is_answered_in_a_line(command, arguments, lines, answer, tmp_path):
    """The signal goes to all processes of the group, as Ctrl-C sends it, when the command has printed some lines."""
    words = ["-u", "-m", f"experiments.{command}", *arguments_of(command, *arguments), "--out", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for _ in range(lines):
            assert process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()  # one that does not stop fails the test, and does not hold it up
    assert process.returncode == 130, error
    assert answer in error
    assert "Traceback" not in error
    assert not list(tmp_path.glob("results.json"))


def test_an_interrupt_within_an_exec_has_the_same_code(tmp_path):
    """Python ended by the signal where text was executed, as in the making of a dataclass, when Ctrl-C came."""
    (tmp_path / "interrupted.py").write_text(
        "from experiments.running.options import answered, base_parser\n"
        "with answered(base_parser('interrupted', '?')):\n"
        "    exec('raise KeyboardInterrupt')\n"
    )
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    ran = subprocess.run(
        [sys.executable, "-m", "interrupted"], capture_output=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert (ran.returncode, ran.stderr.splitlines()[-1][:12]) == (130, b"interrupted:")


@needs_experiments
@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
@pytest.mark.parametrize(
    ("command", "arguments", "line"),
    [
        (
            "mutants",
            ["--subjects", "flatten", "--right", "2", "--workers", "1"],
            "this file was not written: '{}/results",
        ),
        (
            "resnet",
            ["--epochs", "1"],
            "nothing was written, an older file is unchanged): '{}/runs/small_resnet-seed-0-",
        ),
        ("autoencoder", ["--epochs", "1"], "unchanged): '{}/networks/autoencoder.npz'"),
    ],
)
def test_a_file_for_which_there_is_no_room_is_named(command, arguments, line, tmp_path):
    """A limit of no bytes on the size of files acts as a full disk does."""
    words = [sys.executable, "-m", f"experiments.{command}", *arguments_of(command, *arguments), "--out", str(tmp_path)]
    script = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); sys.argv = sys.argv[1:]; "
    script += f"runpy.run_module('experiments.{command}', run_name='__main__')"
    finished = subprocess.run([sys.executable, "-c", script, *words[2:]], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 2
    assert line.format(tmp_path) in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("command", ["mnist", "resnet"])
def test_one_run_at_a_time_is_what_the_help_says(command, capsys):
    with pytest.raises(SystemExit):
        main_of(command)(["--help"])
    assert "default: 1, which uses all cores" in " ".join(capsys.readouterr().out.split())


@needs_experiments
def test_a_benchmark_without_peers_draws_no_picture(tmp_path, monkeypatch, capsys):
    from experiments.benchmark import run

    def quick(names, work, steps, warmup=5):
        return {name: [0.001] for name in names}

    for name in ("profile", "on_threads"):
        monkeypatch.setattr(run, name, lambda network: {"whole": (1.0, 0.0)})
    monkeypatch.setattr(run, "alternate", quick)
    run.benchmark([], tmp_path, quick=True, processes=False)
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert not (tmp_path / "ratios.svg").exists()
    assert capsys.readouterr().out.endswith("results.json\n")
