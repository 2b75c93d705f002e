"""The walks below `tree`: what is a node, what its children are called, and where two trees differ.

They run at every training step, so they keep no paths; where trees differ, a second walk finds the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from functional_nn.arguments import ARRAYS, not_an_array

__all__ = ["Mismatch", "Tree", "check_alike", "check_arrays", "map_arrays", "map_leaves", "named_leaves"]

Tree = Any
Path = tuple[str, ...]


class Mismatch(TypeError):
    """Two trees differ somewhere."""


def map_leaves(f: Callable[..., Any], node: Tree, rest: Sequence[Tree]) -> Tree:
    """Return the tree of f(leaf, *leaves of rest); raises `Mismatch` where the nodes differ."""
    if type(node) is dict:  # the common node, before the rarer ones
        for other in rest:
            if type(other) is not dict or other.keys() != node.keys():
                raise Mismatch
        return {key: map_leaves(f, node[key], [other[key] for other in rest]) for key in _in_order(node)}
    keys = _keys(node)
    for other in rest:
        if not _alike(node, other, keys):
            raise Mismatch
    if keys is None:
        return f(node, *rest)
    return _rebuild(node, [map_leaves(f, _child(node, key), [_child(other, key) for other in rest]) for key in keys])


def map_arrays(f: Callable[..., Any], node: Tree, rest: Sequence[Tree]) -> Tree:
    """Return the same for trees of arrays; raises `Mismatch` where the nodes, shapes or dtypes differ."""
    if type(node) is dict:
        for other in rest:
            if type(other) is not dict or other.keys() != node.keys():
                raise Mismatch
        return {key: map_arrays(f, node[key], [other[key] for other in rest]) for key in _in_order(node)}
    if type(node) in ARRAYS:
        for other in rest:
            if type(other) not in ARRAYS or other.shape != node.shape or other.dtype != node.dtype:
                raise Mismatch
        result = f(node, *rest)
        return result if type(result) is np.ndarray else np.asarray(result)
    keys = _keys(node)
    if keys is None or not all(_alike(node, other, keys) for other in rest):
        raise Mismatch
    children = [map_arrays(f, _child(node, key), [_child(other, key) for other in rest]) for key in keys]
    return _rebuild(node, children)


def _alike(node: Tree, other: Tree, keys: list[Any] | None) -> bool:
    return _keys(other) == keys and (keys is None or type(other) is type(node))


def check_alike(node: Tree, other: Tree, path: Path = ()) -> None:
    """Raise `TypeError`, naming the path, unless the two have the same nodes and keys."""
    keys = _keys(node)
    if not _alike(node, other, keys):
        raise _mismatch(node, other, path)
    for key in keys or ():
        check_alike(_child(node, key), _child(other, key), (*path, str(key)))


def check_arrays(tree: Tree, rest: Sequence[Tree]) -> None:
    """Raise `TypeError` at the first place where the trees do not hold arrays of one shape and one dtype."""
    for path, leaf in named_leaves(tree):
        if type(leaf) not in ARRAYS:
            raise TypeError(f"{path or 'the root'} is {not_an_array(leaf)}")
    for other in rest:
        check_alike(tree, other)
        for (path, a), (_, b) in zip(named_leaves(tree), named_leaves(other), strict=True):
            if type(b) not in ARRAYS:
                raise TypeError(f"{path or 'the root'} is an array in one tree and a {type(b).__name__} in another")
            if a.shape != b.shape or a.dtype != b.dtype:
                one, two = (f"{array.dtype} of shape {array.shape}" for array in (a, b))
                raise TypeError(f"trees differ at {path or 'the root'}: {one} against {two}")


def named_leaves(tree: Tree) -> list[tuple[str, Any]]:
    """Return `(dotted path, leaf)` for every leaf in visiting order."""
    return [(".".join(path), leaf) for path, leaf in _walk(tree, ())]


def _walk(node: Tree, path: Path) -> Iterator[tuple[Path, Any]]:
    keys = _keys(node)
    if keys is None:
        yield path, node
        return
    for key in keys:
        yield from _walk(_child(node, key), (*path, str(key)))


def _keys(node: Tree) -> list[Any] | None:
    """Return what a node's children are called, in visiting order, or None for a leaf."""
    if isinstance(node, np.ndarray):  # the common leaf, before the rarer nodes
        return None
    if isinstance(node, dict):
        return _in_order(node)
    if node is None:
        return []
    if isinstance(node, list | tuple):
        return list(getattr(node, "_fields", range(len(node))))
    return None


def _in_order(node: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(node)
    except TypeError:
        raise TypeError(f"a tree's dict has the keys {list(node)}, expected keys of one type, such as names") from None


def _child(node: Tree, key: Any) -> Tree:
    return getattr(node, key) if hasattr(node, "_fields") else node[key]


def _rebuild(node: Tree, children: list[Tree]) -> Tree:
    if isinstance(node, dict):
        return dict(zip(_in_order(node), children, strict=True))
    if node is None:
        return None
    if hasattr(node, "_fields"):
        return type(node)(*children)
    return type(node)(children)


def _mismatch(node: Tree, other: Tree, path: Path) -> TypeError:
    return TypeError(f"trees differ at {'.'.join(path) or 'the root'}: {_describe(node)} against {_describe(other)}")


def _describe(node: Tree) -> str:
    keys = _keys(node)
    kind = type(node).__name__
    return f"a leaf ({kind})" if keys is None else f"{kind} with {', '.join(map(str, keys)) or 'nothing'}"
