"""Parameters to PyTorch's state dicts and back (the extra `torch`).

    from functional_nn.interop.torch import from_state_dict, to_state_dict

    network.load_state_dict(to_state_dict(model, params, (32, 32, 1)))  # a torch.nn.Module of the same structure
    params = from_state_dict(model, network.state_dict(), (32, 32, 1))

The PyTorch network takes images (n, channels, height, width). Its modules have the names of the model's parts, and
compute what the parts do; then it gives equal outputs. `entries.py` says how names and layouts are mapped.
"""

from functional_nn.interop.torch.state_dict import from_state_dict, to_state_dict

__all__ = ["from_state_dict", "to_state_dict"]
