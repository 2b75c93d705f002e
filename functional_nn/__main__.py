"""`python -m functional_nn` is the command `functional-nn`."""

import sys

from functional_nn.cli import main

if __name__ == "__main__":
    sys.exit(main())
