"""Refusals by their whole message: a pattern that matches a part of it would pass for a wrong message too."""

from contextlib import contextmanager

import pytest


@contextmanager
def refused(error, message):
    """The block raises `error` with exactly this message."""
    with pytest.raises(error) as caught:
        yield
    assert str(caught.value) == message, f"the message is\n  {caught.value}\nexpected\n  {message}"
