"""Pictures of training and of trained networks, by matplotlib (the extra `plots`).

>>> from functional_nn import plots
>>> axes = plots.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["cat", "dog"])
>>> axes.figure.savefig("confusion.png")

Every function takes `ax=`, the axes to draw in, and returns these axes, also where it shows many images: they stand
side by side within the one axes. Without `ax` the axes are those of a new figure of matplotlib.pyplot, of the size that
the picture needs. Nothing is shown: call plt.show() for that, or leave it to the notebook. Colours, fonts and the
background are those of matplotlib's settings, so `plt.style.use("dark_background")` serves the pictures too.

Where classes have names, they are shown up to the first comma, and not longer than fits.
"""

from functional_nn.answers import confident_mistakes, frequent_confusions
from functional_nn.plots.classification import confusion, confusions, mistakes
from functional_nn.plots.inside import feature_maps, filters, gradient_flow
from functional_nn.plots.learning import learning_curves

__all__ = [
    "confident_mistakes",
    "confusion",
    "confusions",
    "feature_maps",
    "filters",
    "frequent_confusions",
    "gradient_flow",
    "learning_curves",
    "mistakes",
]
