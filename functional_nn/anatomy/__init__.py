"""Looking into a model: its leaves, their sizes and work, and what passes through them."""

from functional_nn.anatomy.activations import activations
from functional_nn.anatomy.leaves import (
    Leaf,
    Path,
    couples_examples,
    input_dtype,
    leaf_layers,
    leaf_params,
    multiply_adds,
    replace_leaves,
)
from functional_nn.anatomy.summary import LayerFacts, layer_facts, summary
from functional_nn.anatomy.trace import NotFinite, Trace, TraceRow, trace

__all__ = [
    "LayerFacts",
    "Leaf",
    "NotFinite",
    "Path",
    "Trace",
    "TraceRow",
    "activations",
    "couples_examples",
    "input_dtype",
    "layer_facts",
    "leaf_layers",
    "leaf_params",
    "multiply_adds",
    "replace_leaves",
    "summary",
    "trace",
]
