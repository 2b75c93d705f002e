"""The pictures of a classifier's mistakes say what the numbers say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib import pyplot

from functional_nn import plots

LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([1, 1, 0, 2, 0, 1, 2])
NAMES = ("apple, pomme", "pear", "plum")
IMAGES = np.arange(7 * 4 * 4 * 3, dtype=np.uint8).reshape(7, 4, 4, 3) % 250


def texts(axes):
    return [text.get_text() for text in axes.texts]


def matrix(axes):
    """The shares that the picture's shades stand for."""
    return np.asarray(axes.images[0].get_array()) ** 2


def many(classes=50):
    """Answers of many classes: class i is right i times of 50, and otherwise taken for the next."""
    labels = np.repeat(np.arange(classes), 50)
    right = np.tile(np.arange(50), classes) < np.repeat(np.arange(classes), 50)
    return labels, np.where(right, labels, (labels + 1) % classes)


def test_few_classes_keep_their_order_and_show_counts():
    axes = plots.confusion(LABELS, PREDICTED, NAMES)
    expected = [[0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_allclose(matrix(axes), expected, atol=1e-12)
    assert texts(axes) == ["1", "2", "1", "1", "1", "1"]
    assert [label.get_text().split() for label in axes.get_yticklabels()] == [
        ["apple", "25%"], ["pear", "50%"], ["plum", "100%"],
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["apple", "pear", "plum"]
    assert axes.get_title() == "42.9% of 7 examples are right"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "class and its recall")


def test_many_classes_are_sorted_by_recall_and_named():
    labels, predicted = many()
    axes = plots.confusion(labels, predicted, [f"class {i}" for i in range(50)])
    lines = [label.get_text() for label in axes.get_yticklabels()]
    assert [line.split()[:2] for line in lines] == [["class", str(i)] for i in reversed(range(50))]
    assert [line.split()[2] for line in lines] == [f"{2 * i}%" for i in reversed(range(50))]
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"class {i}" for i in reversed(range(50))]
    np.testing.assert_allclose(matrix(axes).diagonal(), np.arange(50)[::-1] / 50, atol=1e-12)
    assert texts(axes) == []


def test_no_names_of_fifty_classes_overlap():
    axes = plots.confusion(*many(), [f"a rather long name {i}" for i in range(50)])
    axes.figure.canvas.draw()
    for labels, side in ((axes.get_yticklabels(), "y"), (axes.get_xticklabels(), "x")):
        boxes = [label.get_window_extent() for label in labels]
        ends = sorted((getattr(box, f"{side}0"), getattr(box, f"{side}1")) for box in boxes)
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))
        assert all(axes.figure.bbox.contains(box.x0, box.y0) for box in boxes)


def test_the_order_may_be_chosen():
    labels, predicted = many()
    kept = plots.confusion(labels, predicted, by_recall=False).get_yticklabels()
    assert [label.get_text().split()[0] for label in kept] == [str(i) for i in range(50)]
    ranked = plots.confusion(LABELS, PREDICTED, NAMES, by_recall=True).get_yticklabels()
    assert [label.get_text().split()[0] for label in ranked] == ["plum", "pear", "apple"]


def test_a_class_without_examples_has_no_recall_and_stands_last():
    axes = plots.confusion(np.array([1, 2]), np.array([2, 2]), NAMES, by_recall=True)
    assert [label.get_text().split() for label in axes.get_yticklabels()] == [
        ["plum", "100%"], ["pear", "0%"], ["apple", "none"],
    ]  # fmt: skip


def test_the_text_in_a_cell_stands_out_against_its_shade_in_light_and_in_dark():
    for style in ({}, "dark_background", {"axes.facecolor": "none", "figure.facecolor": "none"}):
        with pyplot.style.context(style):
            axes = plots.confusion(LABELS, PREDICTED, NAMES)
            image = axes.images[0]
            for text in axes.texts:
                i, j = map(int, reversed(text.get_position()))
                shade = image.cmap(image.norm(image.get_array()[i, j]))
                assert contrast(shade, text.get_color()) > 3.49


def test_behind_transparent_axes_stands_the_page_that_the_users_text_is_for():
    for text, page in (("black", "white"), ("white", "black")):
        with pyplot.style.context({"axes.facecolor": "none", "figure.facecolor": "none", "text.color": text}):
            cmap = plots.confusion(LABELS, PREDICTED, NAMES).images[0].cmap
            assert contrast(cmap(0.0), page) == pytest.approx(1.0)


def contrast(one, other):
    """Return the contrast ratio of two colours (WCAG 2.1, 1.4.3)."""
    from matplotlib.colors import to_rgb

    def luminance(colour):
        rgb = np.array(to_rgb(colour))
        return float(np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_confusions_show_images_of_the_one_class_taken_for_the_other():
    axes = plots.confusions(IMAGES, LABELS, PREDICTED, NAMES)
    assert texts(axes) == [
        "apple\ntaken for pear\n2 of 4",
        "apple\ntaken for plum\n1 of 4",
        "pear\ntaken for apple\n1 of 2",
    ]
    shown = [np.asarray(image.get_array()) for image in axes.images]
    expected = [IMAGES[i] / 255 for i in (0, 1, 3, 4)]
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(shown, expected, strict=True))


def test_confusions_show_as_many_as_asked_for():
    axes = plots.confusions(IMAGES, LABELS, PREDICTED, most=1, examples=1)
    assert (len(axes.texts), len(axes.images)) == (1, 1)


def test_mistakes_say_what_was_predicted_how_surely_and_what_it_is():
    outputs = np.log(np.array([[0.1, 0.9, 0.0], [0.4, 0.6, 0.0], [1, 0, 0], [0, 0, 1]]) + 1e-9)
    axes = plots.mistakes(IMAGES[:4], np.array([0, 0, 0, 0]), outputs, NAMES)
    assert texts(axes) == [
        "plum\nover 99% sure\nis apple", "pear\n90% sure\nis apple", "pear\n60% sure\nis apple",
    ]  # fmt: skip
    np.testing.assert_allclose(axes.images[0].get_array(), IMAGES[3] / 255, atol=1e-6)


def test_grey_images_keep_their_own_range():
    grey = np.full((1, 4, 4, 1), 0.25)
    axes = plots.mistakes(grey, np.array([0]), np.array([[0.0, 1.0]]))
    assert axes.images[0].get_clim() == (0, 1)
    assert np.all(axes.images[0].get_array() == 0.25)


@pytest.mark.parametrize("draw", [plots.confusions, plots.mistakes])
def test_where_nothing_is_wrong_the_picture_says_so(draw):
    axes = draw(IMAGES, LABELS, np.eye(3)[LABELS], NAMES)
    assert texts(axes) == [f"no {draw.__name__} among 7 examples"]


@pytest.mark.parametrize("draw", [plots.confusions, plots.mistakes])
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (IMAGES[:6], ValueError, r"images have shape \(6, 4, 4, 3\), expected \(7, height, width, 1 or 3 channels\)"),
        (IMAGES[..., 0], ValueError, r"images have shape \(7, 4, 4\)"),
        (IMAGES[..., :2], ValueError, r"images have shape \(7, 4, 4, 2\)"),
        (IMAGES - 100.0, ValueError, "before the model's transform"),
        (IMAGES.astype(np.int64), ValueError, "images are int64"),
        ([1], TypeError, "images is a list"),
    ],
)
def test_bad_images_are_refused(draw, images, error, message):
    with pytest.raises(error, match=message):
        draw(images, LABELS, np.eye(3)[PREDICTED], NAMES)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.confusion(LABELS, PREDICTED, NAMES, ax=ax),
        lambda ax: plots.confusions(IMAGES, LABELS, PREDICTED, NAMES, ax=ax),
        lambda ax: plots.mistakes(IMAGES, LABELS, np.eye(3)[PREDICTED], NAMES, ax=ax),
        lambda ax: plots.mistakes(IMAGES, LABELS, np.eye(3)[LABELS], NAMES, ax=ax),
    ],
)
def test_they_draw_in_the_axes_they_get(draw):
    figure, panels = pyplot.subplots(1, 2)
    assert draw(panels[0]) is panels[0]
    assert pyplot.get_fignums() == [figure.number]
    assert not panels[1].images
    with pytest.raises(TypeError, match="ax is a Figure, expected matplotlib axes"):
        draw(figure)


def test_names_are_cut_where_they_stay_different():
    labels = np.array([0, 1])
    same = plots.confusion(labels, labels, ["dog, small", "dog, large"])
    assert [label.get_text() for label in same.get_xticklabels()] == ["dog, small", "dog, large"]
    long = plots.confusion(labels, labels, ["x" * 40, "y"])
    assert [label.get_text() for label in long.get_xticklabels()] == ["x" * 23 + "…", "y"]


def test_more_classes_than_have_room_are_named_in_steps():
    labels = np.arange(300)
    axes = plots.confusion(labels, labels)
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(i) for i in range(0, 300, 2)]
