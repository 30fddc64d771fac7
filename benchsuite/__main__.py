"""``python -m benchsuite``, and the console script ``benchsuite``."""

import gc
import sys

from benchsuite.cli.main import main


def command() -> int:
    """Run the command line in a process that ends with it."""
    code = main()
    # What is left goes with the process: looking for cycles in it takes 40 ms. Libraries that come
    # with torch report what is frozen as leaked.
    if "torch" not in sys.modules:
        gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(command())
