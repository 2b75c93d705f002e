"""The search behind the tuned settings, repeated: python -m experiments.search --data DIR [--row NAME | --rates]

searched.json records its trials on 50 classes of Tiny ImageNet, seed 0.
- Trials of a row's settings: each trains on nine tenths of the training images. Its accuracy is that on every tenth
  training image and the validation images together: 2,860 images, a standard error of 0.007 to 0.009. (The recorded
  trials took mean and standard deviation from all training images; a repeated figure differs by no more than that.)
- Trials of the learning rate, which the report does not record (`--rates`): each trains a LeNet as the report did, on
  all training images for ten epochs. Its distance is the mean absolute difference between its losses and the report's.
No test image is read. Of each row one network is kept, in `networks` in `--out`: that of the best trial and seed.
"""

from __future__ import annotations

import argparse

from experiments.report.rows import TUNED
from experiments.running.options import check_runs, command, run_parser


def _parser() -> argparse.ArgumentParser:
    parser = run_parser("search", __doc__, default_data=None, default_seeds=1)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--row", choices=tuple(TUNED), help="the row to search settings for (default: all)")
    what.add_argument("--rates", action="store_true", help="search the report's learning rate instead")
    return parser


@command(_parser(), check_runs)
def main(options: argparse.Namespace) -> None:
    from experiments.search.run import search  # needs the extra

    search(options)


if __name__ == "__main__":
    main()
