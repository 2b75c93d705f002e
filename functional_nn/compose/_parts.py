"""What all combinators share: their parts, the parts' keys, and the path of an error that a part raises."""

from __future__ import annotations

from collections.abc import Mapping

from functional_nn import keys
from functional_nn.layer import Layer, LayerError, Params, StructureError

Parts = tuple[tuple[str, Layer], ...]
NOTHING: Params = {}


class within:
    """Extend the path of a `LayerError` that leaves the block by the part of `name` that ran: its attribute `part`.

    `with within(name) as at: for at.part, part in parts: ...` (a class, once a loop: it runs at every step.)
    """

    __slots__ = ("name", "part")

    def __init__(self, name: str) -> None:
        self.name, self.part = name, ""

    def __enter__(self) -> within:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, LayerError):
            error.extend(self.name, self.part)


def fold(key: keys.Key | None, position: int) -> keys.Key | None:
    return None if key is None else keys.fold(key, position)


def checked_parts(name: str, parts: Mapping[str, Layer]) -> Parts:
    for part_name, part in parts.items():
        if not isinstance(part, Layer):
            hint = ": call it to make one" if callable(part) else ""
            raise TypeError(f"{name}.{part_name}: expected a Layer, got {part!r}{hint}")
    return tuple(parts.items())


def check_entries(name: str, params: Params, parts: Parts) -> None:
    unknown = params.keys() - {part_name for part_name, _ in parts}
    if unknown:
        known = ", ".join(part_name for part_name, _ in parts)
        raise StructureError(name, f"unknown to the layer; its parts are {known}", (str(min(unknown)),))
