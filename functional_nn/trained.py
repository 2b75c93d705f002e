"""A trained network with all that prediction needs: its model, parameters, transform of the input, and classes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from functional_nn import tree
from functional_nn.anatomy import input_dtype
from functional_nn.arguments import ARRAYS, count
from functional_nn.data.decoding import decode_usable
from functional_nn.data.image_file import grey_levels, resized
from functional_nn.data.transforms import Function as BatchTransform
from functional_nn.dtypes import FLOATS
from functional_nn.errors import BadFilesError, DataError
from functional_nn.extras import needs_extra
from functional_nn.layer import Layer, Params, Shape
from functional_nn.loss import Loss, check_loss
from functional_nn.losses import softmax
from functional_nn.record import Record
from functional_nn.training import predict

__all__ = ["Answer", "Trained"]

Answer = list[tuple[str, float]]
Image = str | os.PathLike[str] | np.ndarray

SHOWN = 100  # characters of a model, SHOWN_CLASSES names: it prints in a few lines
SHOWN_CLASSES = 5
SHOWN_ERRORS = 10


@dataclass(frozen=True, eq=False, repr=False)
class Trained(Record):
    """A trained network and all that prediction needs; `fnn.save` keeps it in a file.

    - `input_shape`: that of an example as `predict` takes it, before the transform and without the batch axis.
    - `transform`: `transform(x, None)` makes the model's input.
    - `classes`: the names of the outputs, for `classify`. `loss`: what it was trained with, whose `scores` are
      probabilities.
    - `about`: what else to keep, a dict of numbers, strings and arrays.

    It runs one example when it is made, and raises what the model raises at it: parameters without batch norm's
    statistics are refused at once. Raises `TypeError` for what is no layer, loss or dict, `ValueError` where the
    classes are not as many as the outputs.

    >>> params = {"w": np.array([[1.0, -1.0]]), "b": np.zeros(2)}
    >>> trained = fnn.Trained(layers.dense(2), params, (1,), classes=("above", "below"))
    >>> trained.predict(np.array([[3.0]]))
    array([[ 3., -3.]])
    >>> [[(name, probability)]] = trained.classify(np.array([[3.0]]))
    >>> name, round(probability, 4)
    ('above', 0.9975)
    """

    model: Layer
    params: Params
    input_shape: Shape
    transform: BatchTransform | None = None
    classes: tuple[str, ...] = ()
    loss: Loss | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check()
        outputs = predict(self.model, self.params, self._example(), transform=self.transform)
        if self.classes and outputs.shape != (1, len(self.classes)):
            raise ValueError(
                f"Trained: {len(self.classes)} classes, but the outputs of one example have shape {outputs.shape}: "
                f"expected (1, {len(self.classes)})"
            )

    def __repr__(self) -> str:
        transform = "" if self.transform is None else f", transform {_cut(repr(self.transform))}"
        lines = [
            f"model: {_cut(repr(self.model))}",
            f"params: {tree.describe(self.params)}",
            f"input: {self.input_shape}{transform}",
        ]
        if self.classes:
            names = [*self.classes[:SHOWN_CLASSES], *(["..."] if len(self.classes) > SHOWN_CLASSES else [])]
            lines.append(f"classes: {len(self.classes)} ({_cut(', '.join(names))})")
        lines += [] if self.loss is None else [f"loss: {_cut(repr(self.loss))}"]
        lines += [f"about: {_cut(repr(self.about))}"] if self.about else []
        return "Trained(\n  " + "\n  ".join(lines) + "\n)"

    @classmethod
    def restored(cls, **fields: Any) -> Self:
        """Return what a file holds. It ran when it was made; a file's shape must not make us allocate."""
        trained = object.__new__(cls)
        trained.__dict__.update(fields)
        trained._check()
        return trained

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs (n, ...) for inputs (n, *input_shape); raises `ValueError` for another shape."""
        if type(x) in ARRAYS and x.shape[1:] != self.input_shape:
            hint = "; for one example give x[np.newaxis]" if x.shape == self.input_shape else ""
            expected = ", ".join(map(str, ("n", *self.input_shape)))
            raise ValueError(f"predict: x has shape {x.shape}, expected ({expected}){hint}")
        return predict(self.model, self.params, x, transform=self.transform)

    def classify(self, inputs: np.ndarray | Iterable[Image], top: int = 1) -> list[Answer]:
        """Return for each image its `top` most probable classes, a list of (name, probability), the largest first.

            for path, answer in zip(paths, trained.classify(paths, top=3)): ...

        `inputs` are images (n, h, w, c) of the input's shape, or a list: of such images, of uint8 images of any size,
        or of paths of image files. Files are decoded and scaled on several threads as the sources of `data` do; other
        sizes are scaled alike. A network of one channel gets their grey levels. The probabilities are the loss's
        `scores`, or the softmax of the outputs where there is no loss.

        Raises `BadFilesError` after all others are classified if some files cannot be used: its `results` hold the
        answers, and its `errors` name the files. Raises `ValueError` for a network without names of classes, for a
        loss without probabilities, and for images that do not fit.
        """
        if not self.classes:
            raise ValueError("classify: the network has no names of classes: use predict, or make it with classes=")
        if self.loss is not None and self.loss.scores is None:
            raise ValueError(f"classify: {self.loss!r} gives no probabilities: use predict")
        if count("classify", "top", top) > len(self.classes):
            raise ValueError(f"classify: top is {top}, but there are {len(self.classes)} classes")
        if isinstance(inputs, np.ndarray):
            return self._answers(inputs, top)
        listed = _listed(inputs)
        if not listed:
            return []
        if isinstance(listed[0], np.ndarray):
            return self._answers(self._stacked(listed), top)
        return self._classified_files([os.fspath(path) for path in listed], top)

    def _classified_files(self, paths: list[str], top: int) -> list[Answer]:
        images, errors = decode_usable(paths, self._side(), lambda i: f"file {i + 1}")
        usable = [i for i in range(len(paths)) if i not in errors]
        answers = iter(self._answers(self._in_channels(images[usable]), top)) if usable else iter(())
        results = [None if i in errors else next(answers) for i in range(len(paths))]
        if errors:
            raise _bad_files(paths, results, errors)
        return [answer for answer in results if answer is not None]

    def _answers(self, images: np.ndarray, top: int) -> list[Answer]:
        scores = softmax if self.loss is None or self.loss.scores is None else self.loss.scores
        probabilities = scores(self.predict(images))
        ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [(self.classes[k], float(row[k])) for k in chosen]
            for row, chosen in zip(probabilities, ranked, strict=True)
        ]

    def _stacked(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return a list of images as one array; those of another size are scaled."""
        scaled = []
        for i, image in enumerate(images):
            if image.shape == self.input_shape:
                scaled.append(image)
                continue
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3) or image.size == 0:
                problem = f"image {i} is {image.dtype} of shape {image.shape}"
                raise ValueError(f"classify: {problem}, expected {self.input_shape}, or uint8 (h, w, 1 or 3) to scale")
            with needs_extra("experiments", "scaling images"):
                scaled.append(self._in_channels(resized(image, self._side())))
        if len({image.dtype for image in scaled}) > 1:
            raise TypeError(f"classify: the images are of {scaled[0].dtype} and other dtypes: convert them to one")
        return np.stack(scaled)

    def _side(self) -> int:
        """Return the height and width that files are scaled to."""
        if (
            len(self.input_shape) != 3
            or self.input_shape[0] != self.input_shape[1]
            or self.input_shape[2] not in (1, 3)
        ):
            expected = "files and other sizes need (size, size, 1 or 3)"
            raise ValueError(f"classify: the network takes {self.input_shape}, {expected}: give it arrays of its shape")
        return self.input_shape[0]

    def _in_channels(self, rgb: np.ndarray) -> np.ndarray:
        """Return images (..., 3) in the network's channels: themselves, or their grey levels as Pillow rounds them."""
        return rgb if self.input_shape[2] == 3 else grey_levels(rgb)

    def _check(self) -> None:
        if not isinstance(self.model, Layer):
            raise TypeError(f"Trained: model is a {type(self.model).__name__}, expected a Layer")
        if self.transform is not None and not callable(self.transform):
            raise TypeError(f"Trained: transform is {self.transform!r}, expected a function (x, key) or None")
        if self.loss is not None:
            check_loss("Trained", self.loss)
        if not isinstance(self.classes, tuple | list) or not all(isinstance(name, str) for name in self.classes):
            raise TypeError(f"Trained: classes are {self.classes!r:.80}, expected a tuple of strings")
        if not isinstance(self.about, dict):
            raise TypeError(f"Trained: about is {self.about!r:.80}, expected a dict")
        if not isinstance(self.input_shape, tuple | list):
            raise TypeError(f"Trained: input_shape is {self.input_shape!r}, expected a tuple: images.shape[1:]")
        shape = tuple(count("Trained", "input_shape's axis", axis) for axis in self.input_shape)
        self.__dict__.update(input_shape=shape, classes=tuple(self.classes), about=dict(self.about))

    def _example(self) -> np.ndarray:
        """Return zeros (1, *input_shape) of a dtype that the model takes, raw bytes where the transform converts."""
        if self.transform is not None:
            x = np.zeros((1, *self.input_shape), np.uint8)
            with suppress(TypeError, ValueError):  # it may take floats alone
                y = self.transform(x, None)
                if isinstance(y, np.ndarray) and y.dtype in FLOATS:
                    return x
        shape = self.input_shape if self.transform is None else None
        return np.zeros((1, *self.input_shape), input_dtype(self.model, self.params, shape))


def _listed(inputs: Iterable[Image]) -> list[Any]:
    if isinstance(inputs, str | os.PathLike):
        raise TypeError(f"classify: inputs is the path {inputs}: give a list of them, [path], or a folder's files")
    listed = list(inputs)
    for kind in (np.ndarray, str | os.PathLike):
        if all(isinstance(item, kind) for item in listed):
            return listed
    kinds = ", ".join(sorted({type(item).__name__ for item in listed}))
    raise TypeError(f"classify: inputs holds {kinds}, expected images alone or paths alone")


def _bad_files(paths: list[str], results: list[Any], errors: dict[int, DataError]) -> BadFilesError:
    shown = [f"\n  {errors[i]}" for i in sorted(errors)[:SHOWN_ERRORS]]
    more = f"\n  and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
    where = "the answers for the others are this error's .results, and the errors by path its .errors"
    message = f"{len(errors)} of {len(paths)} files cannot be used; {where}:{''.join(shown)}{more}"
    return BadFilesError(message, results, {paths[i]: errors[i] for i in sorted(errors)})


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
