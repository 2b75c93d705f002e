"""PyTorch on all cores, eager or compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from experiments.benchmark.works import CLASSES, RATE, SHIFT, Work
from functional_nn.training import available_cores


class ChannelsLast(nn.Module):
    """A layer that works on the last axis, for images whose channels come second."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        """Return the layer's output, channels second again."""
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


LAYERS = {
    "group_norm": lambda: nn.GroupNorm(8, 32),
    "layer_norm": lambda: ChannelsLast(nn.LayerNorm(32)),
    "batch_norm": lambda: nn.BatchNorm2d(32),
    "dropout": lambda: nn.Dropout(0.5),
}


def after_convolution(layer):
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), *alone(layer))


def alone(layer):
    return nn.Sequential(layer(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, CLASSES))


NETWORKS = {
    "lenet5": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, CLASSES),
    ),
    "improved": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.SiLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.SiLU(), nn.ZeroPad2d((0, 1, 0, 1)),
        nn.MaxPool2d(2), nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(16, 6, 3), nn.SiLU(),
        nn.Flatten(), nn.Linear(216, 120), nn.SiLU(), nn.Linear(120, 84), nn.SiLU(), nn.Linear(84, CLASSES),
    ),
    "perceptron": lambda: nn.Sequential(nn.Linear(408, 64), nn.Sigmoid(), nn.Linear(64, CLASSES)),
    "wide": lambda: nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8192, CLASSES),
    ),
    **{name: partial(after_convolution, layer) for name, layer in LAYERS.items()},
    **{f"{name} alone": partial(alone, layer) for name, layer in LAYERS.items()},
}  # fmt: skip


def prepare(work: Work, compiled: bool = False) -> Callable[[], None]:
    """Return the function that takes one step."""
    torch.set_num_threads(available_cores())
    model = NETWORKS[work.network]()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    if work.mode == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    run = torch.compile(model) if compiled else model
    drawn, labels = work.draw()
    x = torch.from_numpy(drawn)
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(labels)

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(run(inputs), labels).backward()
        optimizer.step()

    def infer() -> None:
        with torch.no_grad():
            run(x)

    if work.mode == "fit":
        prepared = augmentation(x) if work.augments else lambda batch: batch
        return lambda: epoch(x, y, work.batch, prepared, step)
    return infer if work.mode == "infer" else lambda: step(x, y)


def epoch(
    x: torch.Tensor,
    y: torch.Tensor,
    batch: int,
    prepared: Callable[[torch.Tensor], torch.Tensor],
    step: Callable[[torch.Tensor, torch.Tensor], None],
) -> None:
    """Take the steps of an epoch over shuffled data that lie in memory, without a DataLoader."""
    for chosen in torch.randperm(len(x)).split(batch):
        step(prepared(x[chosen]), y[chosen])


def augmentation(x: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function that shifts uint8 images and standardizes them by the means and deviations of x."""
    mean, std = x.double().mean(dim=(0, 2, 3), keepdim=True), x.double().std(dim=(0, 2, 3), keepdim=True)
    mean, std = mean.float(), std.float()
    return lambda images: (shifted(images).float() - mean) / std


def shifted(images: torch.Tensor) -> torch.Tensor:
    """Return images (n, c, h, w), each shifted by its own draw of up to SHIFT pixels."""
    n, _, height, width = images.shape
    padded = F.pad(images, (SHIFT,) * 4)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, n, 1))
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    of = torch.arange(n)[:, None, None]
    return padded[of, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
