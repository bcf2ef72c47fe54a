"""What the conversions share: clear errors for missing packages and wrong objects, safe labels."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from rqe.games._nfg import distinct


def package(name: str, install: str | None = None) -> Any:
    """Import a peer; an ImportError that says what to install where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        install = install or name.partition(".")[0]
        raise ImportError(
            f"this conversion needs {install}: install it with  pip install {install}"
        ) from error


def roots(value: object) -> set[str]:
    """Top packages of the classes that `value` is an instance of."""
    return {cls.__module__.partition(".")[0] for cls in type(value).__mro__}


def labels(texts: Iterable[object]) -> list[str]:
    """Names as a game can hold them: one line each, different, never empty.

    White space becomes single spaces, other control characters go, and "_1", "_2", ... follow
    names that are empty or repeated, as in Gambit.
    """
    words = (" ".join(str(text).split()) for text in texts)
    return distinct(["".join(filter(str.isprintable, word)).rstrip("\\") for word in words])


def wrong(argument: object, expected: str) -> TypeError:
    """Return the error for an object that is not the peer's game."""
    kind = type(argument)
    return TypeError(f"game must be {expected}; got {kind.__module__}.{kind.__qualname__}")
