"""Errors that all ranks raise, so that a script can catch them and go on, though some begin on one rank alone."""

import pytest

import functional_nn as fnn
from functional_nn import optim
from tests.mpi.cases import PLAIN, fit
from tests.mpi.report import digest
from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi

# what the error says, on which rank it begins (None: on each), and what it is on the others where it is not the same
ERRORS = {
    "divergence": ("DivergenceError: epoch 1, step 2: the loss is 5", None),
    "validation": ("DivergenceError: epoch 1, after its last step: the validation loss is 5", None),
    "callback": ("ValueError: no good", 1),
    "own error": ("OwnError: odd (7)", 2, "RankError: OwnError: odd (7)"),
    "no folder": ("FileNotFoundError: [Errno 2] No such file or directory", 0),
    "no folder of a callback": ("FileNotFoundError: [Errno 2] No such file or directory", 0),
    "folder removed": ("FileNotFoundError: [Errno 2] fit: epoch 2 cannot be kept", 0),
    "targets": ("ValueError: softmax_cross_entropy: label 2 at index 7 is outside 0 .. 1 (in the targets from 1048", 3),
    "prediction": ("OwnError: a layer failed (3)", 2, "RankError: OwnError: a layer failed (3)"),
    "evaluate": ("ValueError: softmax_cross_entropy: label 2 at index 0 is outside 0 .. 1", None),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    return run(4, "errors", tmp_path_factory.mktemp("folder"))


@pytest.mark.parametrize("name", ERRORS)
def test_every_rank_raises_the_error_and_says_where_it_began(name, reports):
    message, begins, *elsewhere = ERRORS[name]
    for rank, (*errors, _) in reports.items():
        [(raised, places)] = [(raised, places) for other, raised, places, _ in errors if other == name]
        assert raised.startswith(message if rank == begins or not elsewhere else elsewhere[0])
        assert places == ([] if begins is None or rank == begins else [begins])


def test_every_rank_has_the_result_of_what_was_learned(reports):
    with pytest.raises(fnn.DivergenceError) as caught:
        fit(PLAIN, optimizer=optim.sgd(1e30), chunk=8)
    expected = {"divergence": caught.value.result, "callback": (two := fit(PLAIN, chunk=8)), "own error": two}
    for *errors, _ in reports.values():
        results = {name: result for name, _, _, result in errors if result is not None}
        assert results == {name: digest(result) for name, result in expected.items()} | {
            "validation": results["divergence"]
        }


def test_the_script_goes_on_and_what_one_rank_says_ends_training_on_all(reports):
    assert [rank_s[-1] for rank_s in reports.values()] == [[2, digest(fit(PLAIN, chunk=8))]] * 4
