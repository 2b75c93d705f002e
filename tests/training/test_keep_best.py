"""`keep_best` with a file: it holds the best result, and a run that goes on goes on from it."""

import errno

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import callbacks, tree
from tests.training.test_checkpoint import VALIDATION, Ended, names, own_momentum, stop_after
from tests.training.test_resume import fit, histories, same


def run(path, values, **options):
    """The callback after a run whose validation loss takes these values."""
    best = callbacks.keep_best(path=path, **options)
    for result in histories(values):
        best(result)
    return best


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_the_file_holds_the_best_result(tmp_path, ending):
    path = tmp_path / f"best{ending}"
    best = run(path, [3.0, 1.0, 2.0, 1.0])
    assert best.result.state == fnn.load(path).state == 2
    assert best.result.history == fnn.load(path).history
    assert names(tmp_path) == [path.name]
    assert run(path, [5.0]).result.state == fnn.load(path).state == 1  # a new run replaces the file


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_after_a_resume_the_best_of_all_epochs_is_kept(tmp_path, stop):
    values, path = [3.0, 1.0, 2.0, 0.5, 0.7], tmp_path / "best.npz"
    for last in range(stop, 6):
        run(path, values[:stop])
        later = callbacks.keep_best(path=path)  # as in another process
        for result in list(histories(values[:last]))[stop - 1 :]:  # the last epoch comes once more
            later(result)
        assert later.result.state == fnn.load(path).state == 1 + int(np.argmin(values[:last]))


def test_without_a_file_the_best_of_the_epochs_seen_is_kept():
    best = callbacks.keep_best()
    for result in list(histories([1.0, 3.0, 2.0, 2.5]))[1:]:
        best(result)
    assert best.result.state == 3
    for result in histories([9.0]):
        best(result)
    assert best.result.state == 1  # a new run


def test_other_ranks_keep_the_same_and_write_no_file(tmp_path):
    values = [3.0, 1.0, 2.0, 0.5, 0.7]
    first, other = (callbacks.keep_best(path=tmp_path / name) for name in ("first.npz", "other.npz"))
    for result in [*histories(values), *histories([2.0])]:  # and another run
        first(result)
        assert other.elsewhere(result, None) is None
        assert other.result.state == first.result.state
    assert names(tmp_path) == ["first.npz"]


def test_an_epoch_that_could_not_be_written_is_written_when_it_comes_again(tmp_path, monkeypatch):
    """As in a run that goes on, with the same callback, after there was no room."""
    path = tmp_path / "best.npz"
    best = callbacks.keep_best(path=path)
    first, second = histories([3.0, 1.0])
    best(first)
    with monkeypatch.context() as patched:
        patched.setattr("functional_nn.training.callbacks.save", no_room)
        with pytest.raises(OSError, match="No space left on device"):
            best(second)
    assert best.result.state == fnn.load(path).state == 1
    best(second)
    assert best.result.state == fnn.load(path).state == 2


def no_room(path, value):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_killed_run_has_the_best_of_the_uninterrupted_one(tmp_path):
    options = {"validation": VALIDATION, "epochs": 5}
    whole = callbacks.keep_best("val_accuracy")
    fit(callback=whole, **options)
    for stop in (1, 2, 4):
        for before in (True, False):  # killed before keep_best, or after it
            path, best = tmp_path / f"{stop}{before}.npz", tmp_path / f"best{stop}{before}.npz"
            calls = [stop_after(stop), callbacks.keep_best("val_accuracy", best)]
            with pytest.raises(Ended):
                fit(checkpoint=path, callback=calls if before else calls[::-1], **options)
            later = callbacks.keep_best("val_accuracy", best)
            fit(checkpoint=path, callback=later, **options)
            same(later.result, whole.result)
            same(fnn.load(best), whole.result)


def test_a_state_of_ones_own_is_found_again(tmp_path):
    options = {"optimizer": own_momentum(0.9), "checkpoint": tmp_path / "run.npz"}
    for epochs in (1, 3):
        best = callbacks.keep_best("loss", tmp_path / "best.npz")
        fit(epochs=epochs, callback=best, **options)
    assert type(best.result.state).__name__ == "Own"


def test_the_file_of_another_run_is_refused_after_a_resume_and_stays(tmp_path):
    path = tmp_path / "best.npz"
    later = list(histories([3.0, 2.0]))[1]
    others = [next(histories([4.0])), list(histories([3.0, 2.0, 1.0]))[2], {"params": 1}, fnn.FitResult({}, 1, [])]
    for other in others:
        fnn.save(path, other)
        before = path.read_bytes()
        with pytest.raises(
            ValueError, match=r"keep_best: .*best\.npz holds no result of an epoch of the run that goes on"
        ):
            callbacks.keep_best(path=path)(later)
        assert path.read_bytes() == before


def test_a_path_is_checked_when_the_callback_is_made(tmp_path):
    with pytest.raises(ValueError, match=r"best\.txt: the name of the file must end in \.npz or \.safetensors"):
        callbacks.keep_best(path="best.txt")
    with pytest.raises(TypeError, match="keep_best: path is a int, expected the path of a file"):
        callbacks.keep_best(path=3)
    best = callbacks.keep_best("loss", tmp_path / "best.npz")
    assert best == callbacks.keep_best("loss", str(tmp_path / "best.npz")) != callbacks.keep_best("loss")
    assert repr(callbacks.keep_best("loss", "b.npz")) == "keep_best(monitor='loss', path='b.npz')"
    assert tree.size(fit(epochs=1, callback=best).params) == 1739
