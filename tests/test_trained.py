"""A trained network classifies images and files as training saw them, and says what it cannot do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import data, layers, losses, models
from functional_nn.data import BadFilesError, DataError, MissingFileError

NAMES = ("cat", "dog", "fish")
RNG = np.random.default_rng(0)
MODEL = models.two_layer_perceptron(8, 3, layers.tanh)
STANDARDIZED = data.standardize_by((100.0, 110.0, 120.0), (50.0, 60.0, 70.0))


def trained(shape: tuple[int, ...] = (8, 8, 3), model: fnn.Layer = MODEL, **options: object) -> fnn.Trained:
    transform = data.standardize_by((100.0,) * shape[-1], (50.0,) * shape[-1])
    defaults = {"transform": transform, "classes": NAMES, "loss": losses.softmax_cross_entropy}
    return fnn.Trained(model, model.init(np.random.default_rng(1), shape), shape, **{**defaults, **options})


def pictures(n: int, shape: tuple[int, ...] = (8, 8, 3)) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def expected(network: fnn.Trained, images: np.ndarray, top: int) -> list[list[tuple[str, float]]]:
    """What `classify` should say, one image at a time, in float64."""
    answers = []
    for image in images:
        logits = network.model.apply(network.params, network.transform(image[np.newaxis], None))[0].astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum()
        ranked = sorted(zip(shares, network.classes, strict=True), reverse=True)
        answers.append([(name, share) for share, name in ranked[:top]])
    return answers


def assert_close(answers: list, others: list) -> None:
    assert [[name for name, _ in answer] for answer in answers] == [[name for name, _ in other] for other in others]
    np.testing.assert_allclose([[p for _, p in a] for a in answers], [[p for _, p in o] for o in others], atol=1e-6)


@pytest.mark.parametrize("top", [1, 2, 3])
def test_classes_come_by_name_with_their_probabilities(top: int):
    network, images = trained(), pictures(7)
    answers = network.classify(images, top=top)
    assert_close(answers, expected(network, images, top))
    assert all(type(p) is float for answer in answers for _, p in answer)
    assert network.classify(list(images), top=top) == answers
    assert network.classify([]) == network.classify(images[:0]) == []


def test_probabilities_are_the_losss_scores_and_the_softmax_without_a_loss():
    images = pictures(4)
    assert_close(trained(loss=None).classify(images), expected(trained(), images, 1))
    model = models.lenet5_1998()
    digits = fnn.Trained(
        model,
        model.init(RNG, (32, 32, 1)),
        (32, 32, 1),
        transform=data.standardize_by((0.0,), (255.0,)),
        classes=tuple("0123456789"),
        loss=models.penalty_loss(),
    )
    images = pictures(3, (32, 32, 1))
    smallest = digits.predict(images).argmin(axis=1)  # penalties: the smallest wins
    assert [answer[0][0] for answer in digits.classify(images)] == [str(k) for k in smallest]
    assert all(0.0 <= p <= 1.0 for answer in digits.classify(images, top=10) for _, p in answer)


def test_outputs_are_those_of_the_model_under_the_transform():
    network, images = trained(), pictures(5)
    x = network.transform(images, None)
    np.testing.assert_array_equal(network.predict(images), fnn.predict(network.model, network.params, x))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Image files of several forms and sizes, written by Pillow."""
    image = pytest.importorskip("PIL.Image")
    paths = []
    for i, (ending, mode, size) in enumerate(
        [("png", "RGB", 8), ("jpg", "RGB", 70), ("png", "L", 20), ("png", "P", 9), ("jpg", "L", 33), ("bmp", "RGB", 5)]
    ):
        pixels = np.kron(pictures(i + 1, (2, 2, 3))[0], np.ones((size, size, 1), np.uint8))
        paths.append(str(tmp_path / f"{i}.{ending}"))
        image.fromarray(pixels).convert(mode).save(paths[-1])
    return paths


def test_files_are_decoded_and_scaled_as_in_training(files: list[str], tmp_path: Path):
    lists = {"train.txt": files, "val.txt": files[:1], "test.txt": files[:1]}
    for name, paths in lists.items():
        (tmp_path / name).write_text("".join(f"{Path(path).name} {i % 2}\n" for i, path in enumerate(paths)))
    images, _ = data.image_list(tmp_path, 8).train
    network = trained()
    assert network.classify(files, top=3) == network.classify(images, top=3)
    assert network.classify([Path(path) for path in files]) == network.classify(iter(files)) == network.classify(images)


def test_images_of_other_sizes_are_scaled_as_files_of_them(tmp_path: Path):
    image = pytest.importorskip("PIL.Image")
    paths, arrays = [], []
    for i, shape in enumerate([(8, 8, 3), (20, 13, 3), (5, 5, 1), (30, 31, 3)]):
        arrays.append(pictures(i + 1, shape)[0])
        paths.append(tmp_path / f"{i}.png")
        image.fromarray(arrays[-1].squeeze(axis=-1) if shape[-1] == 1 else arrays[-1]).save(paths[-1])
    for channels in (3, 1):
        network = trained((8, 8, channels))
        assert network.classify(arrays, top=3) == network.classify(paths, top=3)


def test_a_grey_network_gets_the_grey_levels_that_pillow_makes(files: list[str]):
    image = pytest.importorskip("PIL.Image")
    network = trained((16, 16, 1))
    rgb = data.decoding.decode(files, 16, lambda i: "")
    grey = np.stack([np.asarray(image.fromarray(picture).convert("L")) for picture in rgb])[..., np.newaxis]
    assert network.classify(files, top=3) == network.classify(grey, top=3)


def test_bad_files_are_named_together_after_the_others_are_done(files: list[str], tmp_path: Path):
    bad = [tmp_path / "missing.png", tmp_path / "text.png", tmp_path / "cut.jpg", tmp_path]
    bad[1].write_text("no image")
    bad[2].write_bytes(Path(files[1]).read_bytes()[:200])
    mixed = [bad[0], *files[:3], bad[1], bad[2], *files[3:], bad[3]]
    network = trained()
    with pytest.raises(BadFilesError, match=r"^4 of 10 files cannot be used; .*\.results") as caught:
        network.classify(mixed, top=2)
    error = caught.value
    assert isinstance(error, DataError)
    good = iter(network.classify(files, top=2))
    assert error.results == [None if path in bad else next(good) for path in mixed]
    assert list(error.errors) == [str(path) for path in mixed if path in bad]
    for path, number in zip(bad, (1, 5, 6, 10), strict=True):
        assert str(path) in str(error.errors[str(path)])
        assert f"file {number}: " in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_missing_file_error_is_made_by_its_own_new():
    """As Dask makes one that comes from another process: ValueError's, which Python found first, refused to."""
    error = MissingFileError.__new__(MissingFileError)
    error.args = ("pets: there is no such directory",)
    assert str(error) == "pets: there is no such directory"


def test_a_folder_of_bad_files_names_ten_and_counts_the_rest(tmp_path: Path):
    with pytest.raises(BadFilesError, match=r"(?s)^25 of 25 .*9\.png.* and 15 more$") as caught:
        trained().classify([tmp_path / f"{i}.png" for i in range(25)])
    assert caught.value.results == [None] * 25
    assert len(caught.value.errors) == 25


def test_params_without_statistics_are_refused_at_once():
    model = fnn.serial(c=layers.conv2d(2, 3), n=layers.batch_norm(), f=layers.flatten(), d=layers.dense(3))
    params = model.init(RNG, (8, 8, 3))
    with pytest.raises(TypeError, match=r"serial\.n\.mean: missing; .*fnn\.statistics"):
        fnn.Trained(model, params, (8, 8, 3), transform=STANDARDIZED)
    params = fnn.statistics(model, params, pictures(9), transform=STANDARDIZED)
    assert fnn.Trained(model, params, (8, 8, 3), transform=STANDARDIZED, classes=NAMES).classify(pictures(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_example_is_of_a_dtype_that_the_network_takes(dtype: type):
    params = fnn.tree.map(lambda leaf: leaf.astype(dtype), MODEL.init(RNG, (4,)))
    assert fnn.Trained(MODEL, params, (4,)).predict(np.zeros((2, 4), dtype)).dtype == dtype
    images = fnn.tree.map(lambda leaf: leaf.astype(dtype), MODEL.init(RNG, (8, 8, 3)))
    assert fnn.Trained(MODEL, images, (8, 8, 3), transform=data.random_shift(2))  # it takes floats and returns them
    bound = fnn.bind(MODEL, params)
    assert fnn.Trained(bound, {}, (4,)).predict(np.zeros((2, 4), dtype)).dtype == dtype
    words = fnn.serial(e=layers.embedding(5, 2), m=layers.flatten())
    assert fnn.Trained(words, {"e": {"w": np.ones((5, 2), dtype)}}, (3,)).predict(np.zeros((2, 3), int)).shape == (2, 6)


PARAMS = MODEL.init(RNG, (4,))
REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: fnn.Trained(PARAMS, MODEL, (4,)), TypeError, "model is a dict, expected a Layer"),
    (lambda: fnn.Trained(MODEL, PARAMS, (5,)), ValueError, r"two_layer_perceptron\.hidden: x has 5 features"),
    (lambda: fnn.Trained(MODEL, PARAMS, 4), TypeError, r"input_shape is 4, expected a tuple: images\.shape\[1:\]"),
    (lambda: fnn.Trained(MODEL, PARAMS, (-4,)), ValueError, "input_shape's axis is -4, expected an int of at least 1"),
    (lambda: fnn.Trained(MODEL, PARAMS, (4,), classes=("a", "b")), ValueError, r"2 classes, but .* shape \(1, 3\)"),
    (
        lambda: fnn.Trained(MODEL, PARAMS, (4,), classes="abc"),
        TypeError,
        "classes are 'abc', expected a tuple of strings",
    ),
    (lambda: fnn.Trained(MODEL, PARAMS, (4,), classes=(1, 2, 3)), TypeError, r"classes are \(1, 2, 3\), expected"),
    (
        lambda: fnn.Trained(MODEL, PARAMS, (4,), loss=losses.huber),
        TypeError,
        "Trained: loss is .*: call it to make one",
    ),
    (
        lambda: fnn.Trained(MODEL, PARAMS, (4,), transform=3),
        TypeError,
        r"transform is 3, expected a function \(x, key\)",
    ),
    (lambda: fnn.Trained(MODEL, PARAMS, (4,), about=[1]), TypeError, r"about is \[1\], expected a dict"),
    (
        lambda: trained().predict(pictures(1)[0]),
        ValueError,
        r"x has shape \(8, 8, 3\), expected \(n, 8, 8, 3\); .*x\[np",
    ),
    (
        lambda: trained().predict(pictures(2, (9, 8, 3))),
        ValueError,
        r"x has shape \(2, 9, 8, 3\), expected \(n, 8, 8, 3\)$",
    ),
    (lambda: trained().predict([1]), TypeError, "predict: x is a list"),
    (lambda: trained(classes=()).classify(pictures(1)), ValueError, "no names of classes: use predict"),
    (
        lambda: trained(loss=losses.hinge()).classify(pictures(1)),
        ValueError,
        r"hinge\(\) gives no probabilities: use pred",
    ),
    (lambda: trained().classify(pictures(1), top=4), ValueError, "top is 4, but there are 3 classes"),
    (lambda: trained().classify(pictures(1), top=0), ValueError, "top is 0, expected an int of at least 1"),
    (lambda: trained().classify("cat.jpg"), TypeError, r"inputs is the path cat\.jpg: give a list of them, \[path\]"),
    (
        lambda: trained().classify([pictures(1)[0], "a"]),
        TypeError,
        "holds ndarray, str, expected images alone or paths",
    ),
    (lambda: trained().classify([3]), TypeError, "holds int, expected images alone or paths alone"),
    (
        lambda: trained().classify([pictures(1)[0, ..., 0]]),
        ValueError,
        r"image 0 is uint8 of shape \(8, 8\), expected \(8",
    ),
    (
        lambda: trained().classify([np.zeros((9, 9, 3))]),
        ValueError,
        r"image 0 is float64 of shape \(9, 9, 3\), expected",
    ),
    (
        lambda: trained().classify([pictures(1)[0], np.zeros((8, 8, 3))]),
        TypeError,
        "images are of uint8 and other dtypes: convert them to one",
    ),
    (
        lambda: trained((8, 9, 3)).classify(["a.png"]),
        ValueError,
        r"takes \(8, 9, 3\), files .* need \(size, size, 1 or 3\)",
    ),
    (lambda: trained((8, 8, 2)).classify(["a.png"]), ValueError, r"takes \(8, 8, 2\), files and other sizes need"),
]


@pytest.mark.parametrize(("use", "error", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_does_not_fit_is_refused(use: Callable[[], object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        use()


def test_it_prints_in_a_few_lines():
    network = trained((8, 8, 3), about={"accuracy": 0.5}, classes=NAMES)
    assert repr(network).splitlines() == [
        "Trained(",
        "  model: two_layer_perceptron(hidden=8, classes=3, activation=tanh)",
        "  params: 1,571 numbers in 4 leaves: hidden.b, hidden.w, output.b, output.w",
        "  input: (8, 8, 3), transform standardize_by((100.0, 100.0, 100.0), (50.0, 50.0, 50.0))",
        "  classes: 3 (cat, dog, fish)",
        "  loss: softmax_cross_entropy",
        "  about: {'accuracy': 0.5}",
        ")",
    ]
    long = fnn.serial(**{f"layer{i}": layers.dense(100) for i in range(100)})
    printed = repr(fnn.Trained(long, long.init(RNG, (4,)), (4,), classes=tuple(f"class {i}" for i in range(100))))
    assert "  classes: 100 (class 0, class 1, class 2, class 3, class 4, ...)" in printed
    assert max(map(len, printed.splitlines())) <= 120


def test_it_cannot_be_changed_and_pickles():
    network = trained()
    with pytest.raises(AttributeError):
        network.params = {}
    loaded = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(loaded.predict(pictures(3)), network.predict(pictures(3)))
