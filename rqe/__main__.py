"""Run the command line as ``python -m rqe``."""

import sys

from rqe.cli import main

if __name__ == "__main__":
    sys.exit(main())
