"""A denoising autoencoder on the digits, with tied weights: python -m experiments.autoencoder

The network gets an image with noise and learns to return the image without it (Vincent et al. 2010). Its decoder uses
the encoder's weights, transposed. The error is the mean of the squared differences from the clean test images. The
trained network goes to a file in `--out`.
"""

from __future__ import annotations

import argparse

import numpy as np

import functional_nn as fnn
from experiments.running.options import base_parser, check_out, command, positive
from functional_nn import data, keys, layers, losses, optim

NOISE = 0.3  # its standard deviation; pixels are from 0 to 1
UNTIED = fnn.serial(flat=layers.flatten(), encoder=layers.dense(64), a=layers.sigmoid, decoder=layers.dense(256))
AUTOENCODER = fnn.tie(UNTIED, {"decoder.w": "encoder.w.T"})
clean = data.standardize_by((0.0,), (255.0,))


def noisy(images: np.ndarray, key: keys.Key | None) -> np.ndarray:
    """Return uint8 images as numbers from 0 to 1, with noise where there is a key."""
    x = clean(images, None)
    return x if key is None else x + NOISE * keys.generator(key).standard_normal(x.shape, np.float32)


def _parser() -> argparse.ArgumentParser:
    parser = base_parser("autoencoder", __doc__)
    parser.add_argument("--epochs", type=positive, default=60, metavar="N", help="default: %(default)s")
    return parser


@command(_parser(), check_out, interrupted="nothing is written")
def main(options: argparse.Namespace) -> None:
    """Train; print the errors before and after, and write the network."""
    from experiments.running.networks import write_networks  # needs the extra
    from experiments.running.outcome import Outcome

    splits, epochs = data.digits(size=16), options.epochs
    (train, _), (test, _) = splits.train, splits.test
    params, loss = AUTOENCODER.init(np.random.default_rng(0), train.shape[1:]), losses.mean_squared_error
    targets, test_targets = (clean(images, None).reshape(len(images), -1) for images in (train, test))
    settings = {"epochs": epochs, "batch_size": 32, "seed": 0}
    optimizer = optim.adam(optim.cosine(3e-3, steps=epochs * -(-len(train) // 32)))
    result = fnn.fit(AUTOENCODER, params, (train, targets), loss=loss, optimizer=optimizer, transform=noisy, **settings)
    inputs = noisy(test, key=1)
    before, after = (
        fnn.evaluate(AUTOENCODER, p, inputs, test_targets, loss=loss)["loss"] for p in (params, result.params)
    )
    print(f"{len(test)} test images with noise, whose own error is {np.square(inputs - clean(test, None)).mean():.4f}")
    print(f"reconstruction error: {before:.4f} before training, {after:.4f} after it")
    network = fnn.Trained(AUTOENCODER, result.params, train.shape[1:], transform=clean, loss=loss)
    outcome = Outcome({"seed": 0, "error": after, "error_before": before}, network=network)
    print(write_networks(options, splits.description, (), {"autoencoder": outcome}))


if __name__ == "__main__":
    main()
