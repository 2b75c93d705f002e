"""Refusals by their whole message: a pattern that matches a part of it would pass for a wrong message too."""

from contextlib import contextmanager

import numpy as np
import pytest


@contextmanager
def refused(error, message):
    """The block raises `error` with exactly this message."""
    with pytest.raises(error) as caught:
        yield
    assert str(caught.value) == message, f"the message is\n  {caught.value}\nexpected\n  {message}"


def no_array(value):
    """The end of the message for a value where an array is expected: its kind, and what to do."""
    kind = f"a {type(value).__name__}, expected a NumPy array"
    if isinstance(value, np.ma.MaskedArray):
        return f"{kind}: fill its masked entries"
    return f"{kind}: convert it with np.asarray" if isinstance(value, list | tuple | np.ndarray | np.generic) else kind
