"""Whether two values are the same to the last bit: types, order of keys, dtypes, shapes, the sign of a zero."""

import dataclasses
import struct
from functools import partial
from typing import Any

import numpy as np

from functional_nn import Trained
from functional_nn.value import Value


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.memmap):
        a = np.asarray(a)
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        native = a.astype(a.dtype.newbyteorder("="))
        return native.dtype == b.dtype and a.shape == b.shape and native.tobytes() == b.tobytes()
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(same, a.keys(), b.keys())) and all(map(same, a.values(), b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, partial):
        return same((a.func, a.args, a.keywords), (b.func, b.args, b.keywords))
    if isinstance(a, Trained):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))
    if isinstance(a, Value):
        return a == b and repr(a) == repr(b) and same(a.call.arguments, b.call.arguments)
    return bool(a == b)
