"""Figures are drawn without a display, and closed after each test."""

import importlib.util

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("matplotlib") else ["test_*.py"]


@pytest.fixture(autouse=True)
def closed_figures(monkeypatch):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    monkeypatch.setattr(pyplot, "show", lambda *arguments, **options: pytest.fail("a plot called show"))
    yield
    pyplot.close("all")
