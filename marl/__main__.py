"""``python -m marl`` is the program ``marl``."""

import sys

from marl.cli import main

if __name__ == "__main__":
    sys.exit(main())
