"""Composition: layers in a row, side by side, around a shortcut, and with some of their parameters fixed or shared.

`compose.serial` and `compose.bind` are the functions; their modules are imported by path, as in
`from functional_nn.compose.bind import recombined`.
"""

from functional_nn.compose.bind import bind
from functional_nn.compose.fan import branch, residual
from functional_nn.compose.serial import serial
from functional_nn.compose.tie import tie

__all__ = ["bind", "branch", "residual", "serial", "tie"]
