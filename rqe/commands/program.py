"""What the programs `rqe` and `marl` share: their parser, ``--version``, numbers."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from rqe.commands.common import BAD_INPUT


class Parser(argparse.ArgumentParser):
    """Parser whose usage errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Complain and exit."""
        self.exit(BAD_INPUT, f"{self.prog}: {message} (try '{self.prog} --help')\n")


class Version(argparse.Action):
    """Print the version; unlike argparse's own action it imports the package only then."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> None:
        """Print and exit."""
        import rqe

        print(f"{parser.prog} {rqe.__version__}")
        parser.exit()


def close_stdout() -> None:
    """Let what is still to be written go nowhere; python would complain of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def positive(text: str) -> int:
    """Return a positive whole number; for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def natural(text: str) -> int:
    """Return a whole number that is not negative; for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= 0")
    return int(text)
