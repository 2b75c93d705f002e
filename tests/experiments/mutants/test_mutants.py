"""The mutation run: what it breaks, what it counts, and that the checker rejects it."""

import ast
import json
import sys

import numpy as np
import pytest

pytest.importorskip("tqdm")
pytest.importorskip("joblib")

import functional_nn as fnn
from experiments.mutants import __main__ as mutants
from experiments.mutants import cases, copies, judge, right, source, subjects
from experiments.mutants.judge import Fate
from functional_nn import layers, losses

COMBINATORS = {"serial", "residual", "branch", "bind", "tie"}
FUNCTION = """
def pullback(dy, w):
    dx = dy @ w.T + 0.5 * dy.sum(axis=0)
    dx[1:] -= w
    return dx
"""


def texts(kind):
    module = ast.parse(FUNCTION)
    return {mutant.text for mutant in source.mutants(module, {2}) if mutant.kind == kind}


def test_every_public_layer_combinator_and_loss_is_a_subject():
    assert set(subjects.LOSSES) == set(losses.__all__) - {"Loss", "labels_hit", "softmax", "weighted_targets"}
    looked_up = {"embedding"}  # takes whole numbers, has no dx: tests/layers/test_embedding.py
    assert set(subjects.LAYERS) == (set(layers.__all__) - looked_up) | COMBINATORS | {"conv2d in groups"}
    assert set(fnn.compose.__all__) - {"sequence"} == COMBINATORS
    assert set(subjects.SUBJECTS) == set(subjects.LAYERS) | set(subjects.LOSSES)


def test_source_is_broken_as_people_break_it():
    assert texts("term") == {
        "dy @ w.T + 0.5 * dy.sum(axis=0) -> dy @ w.T",
        "dy @ w.T + 0.5 * dy.sum(axis=0) -> 0.5 * dy.sum(axis=0)",
        "dx[1:] -= w -> pass",
    }
    assert {"dx[1:] -= w -> dx[1:] += w", "0.5 -> -0.5"} < texts("sign")
    assert texts("transpose") == {"w.T -> w", "dy @ w.T -> w.T @ dy"}
    assert texts("mean") == {"dy.sum(axis=0) -> dy.mean(axis=0)"}
    assert {"0 -> 1", "1 -> 2", "1 -> 0"} < texts("shift")
    assert (texts("x 1.01"), texts("x 2")) == ({"0.5 -> 0.505"}, {"0.5 -> 1.0"})
    assert "0.5 * dy.sum(axis=0) -> dy.sum(axis=0)" in texts("mask")


def test_a_mutant_changes_one_place_and_the_tree_is_put_back():
    module = ast.parse(FUNCTION)
    before = ast.unparse(module)
    for mutant in source.mutants(module, {2}):
        with source.changed(module, mutant) as wrong:
            assert ast.unparse(wrong) != before
            compile(wrong, "mutant", "exec")
        assert ast.unparse(module) == before


def test_functions_that_were_not_run_and_errors_are_left_alone():
    module = ast.parse("def f(x):\n    if x > 0:\n        raise ValueError(x + 1)\n\ndef g(x):\n    return x + 1\n")
    assert {mutant.text for mutant in source.mutants(module, {1}) if mutant.kind != "mask"} == {"0 -> 1", "0 -> -1"}


def test_a_copy_is_mutated_and_the_library_stays_what_it_is():
    name = "functional_nn.layers.activations"
    modules, original, x = dict(sys.modules), layers.tanh, np.array([0.5])
    syntax = ast.parse("from functional_nn.layers import dense\n")  # lacks what the package imports from it
    with pytest.raises(ImportError):
        copies.library_copy(name, syntax)
    copy = copies.library_copy()
    assert copy.layers.tanh != original
    assert copy.layers.tanh.apply({}, x) == original.apply({}, x)
    assert {key: module for key, module in sys.modules.items() if key in modules} == modules
    assert fnn.layers.tanh is sys.modules["functional_nn.layers"].tanh is original


def test_what_a_pullback_runs_is_found_in_every_file():
    assert {"functional_nn.layers._memory", "functional_nn.layers.pool"} <= set(judge.modules_of("max_pool", 0))
    changes = {mutant.text for mutant in judge.source_mutants("tanh", "functional_nn.layers.activations", 0)[2]}
    assert "dx *= dy -> pass" in changes
    assert not any("s + y" in change for change in changes)  # no other activation's


def fates(subject, mistake):
    right_cases = judge._cases(subject, 0)
    return judge._judge(right_cases, [case.right.replace(vjp=mistake(case.right)) for case in right_cases], 0)[0]


def altered(change):
    """The mistake that returns `change(y, dx)` in place of (y, dx)."""

    def mistake(layer):
        def vjp(params, x, *, key=None, wrt_x=True):
            y, pullback = layer.vjp(params, x, key=key, wrt_x=wrt_x)
            return change(y, None)[0], lambda dy: (pullback(dy)[0], change(y, pullback(dy)[1])[1])

        return vjp

    return mistake


@pytest.mark.parametrize("subject", ["dense", "softmax_cross_entropy", "bind"])
def test_every_gradient_of_a_subject_is_broken_and_found_wrong(subject):
    paths = judge.gradients_of(subject, 0)
    assert paths == {"dense": ["b", "w", "x"], "softmax_cross_entropy": ["outputs"], "bind": ["f.b", "x"]}[subject]
    judgements = judge.judge_results(subject, paths[-1], 0)
    assert {"rejected"} < {judgement.fate for judgement in judgements} <= {"rejected", "same"}
    assert all(
        judgement.fate == "rejected" for judgement in judgements if judgement.kind in ("x 1.01", "x 2", "sign", "term")
    )


def raising(y, dx):
    if dx is not None:
        raise RuntimeError("broken")
    return y, dx


@pytest.mark.parametrize(
    ("change", "fate"),
    [
        (lambda y, dx: (y, dx), Fate.SAME),
        (lambda y, dx: (y, None if dx is None else dx * (1.0 + 1e-15)), Fate.SAME),
        (lambda y, dx: (1.01 * y, dx), Fate.FORWARD),
        (raising, Fate.RAISED),
        (lambda y, dx: (y, np.zeros_like(y) if dx is None else dx), Fate.REJECTED),
        (lambda y, dx: (y, None if dx is None else 1.01 * dx), Fate.REJECTED),
        (lambda y, dx: (y, None if dx is None else dx[..., None]), Fate.REJECTED),
    ],
    ids=["nothing", "rounding", "the output", "an error", "dx where none is wanted", "the gradient", "its shape"],
)
def test_the_fate_of_a_mutant_is_told_without_the_checker(change, fate):
    assert fates("tanh", altered(change)) is fate


def test_what_a_blind_checker_lets_pass_has_survived(monkeypatch):
    monkeypatch.setattr(cases, "check_vjp", lambda *arguments, **keywords: None)
    assert fates("tanh", altered(lambda y, dx: (y, None if dx is None else 1.01 * dx))) is Fate.SURVIVED


def test_what_is_right_is_checked_and_an_alarm_told(monkeypatch):
    numbers = range(len(subjects.SUBJECTS))
    assert right.check_subjects(numbers, 0) == (len(numbers), [])
    assert right.check_networks(20, 0) == (20, [])

    def alarmed(*arguments, **keywords):
        raise right.GradientError("wrong derivative", "  false", "tanh.x")

    monkeypatch.setattr(right, "check_vjp", alarmed)
    checked, alarms = right.check_networks(3, 0)
    assert (checked, len(alarms)) == (3, 3)


def test_the_run_prints_the_table_and_writes_every_judgement(tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--subjects", "relu,leaky_relu,mean_squared_error,flatten", "--right", "30", "--workers", "1"]
    mutants.main([*arguments, "--seed", "1", "--out", str(out)])
    printed, results = capsys.readouterr().out, json.loads((out / "results.json").read_text())
    assert results["right"] == {"checked": 30, "alarms": []}
    counted = [mutant for mutant in results["mutants"] if mutant["fate"] in ("rejected", "survived")]
    assert {mutant["subject"] for mutant in counted} == {"relu", "leaky_relu", "mean_squared_error", "flatten"}
    assert {mutant["fate"] for mutant in counted} == {"rejected"}
    assert f"rejected: 100.00% of the {len(counted)} mutants that change a gradient and no output" in printed
    assert "right cases: 30, false alarms: 0" in printed


def test_unknown_subjects_are_refused(capsys):
    with pytest.raises(SystemExit):
        mutants.main(["--subjects", "relu,tan"])
    assert "'tan': expected some of sigmoid," in capsys.readouterr().err
