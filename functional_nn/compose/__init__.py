"""Composition: `serial`, `residual` and `branch` make a layer of layers, `bind` fixes parts' parameters.

A combinator's parameters are a dict of its parts' parameters; a part without parameters has no entry. Its
functions take `parts` and their `name` by keyword, so that `bind` can put other parts in their place.
"""

from functional_nn.compose._bind import bind
from functional_nn.compose._fan import branch, residual
from functional_nn.compose._serial import sequence, serial

__all__ = ["bind", "branch", "residual", "sequence", "serial"]
