"""Options that are the fields of a dataclass, and say what its docstring says of them."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any


def add_fields(parser: argparse.ArgumentParser, settings: type) -> None:
    """Add one option per field of a dataclass; its own check judges the value."""
    meanings = _meanings(settings)
    for field in fields(settings):
        meaning = meanings.get(field.name, "").replace("%", "%%")
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=_reader(field.default),
            default=argparse.SUPPRESS, help=f"{meaning} (default {field.default})".strip(),
        )  # fmt: skip


def _meanings(settings: type) -> dict[str, str]:
    """Return what the docstring says of each attribute, and which values there are to choose."""
    text = inspect.getdoc(settings) or ""
    section = text.partition("Attributes\n----------\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?! )", section):
        head, _, body = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        words = [kind + ":" if body else kind] if kind.startswith("{") else []
        said = " ".join([*words, *body.replace("``", "").split()])
        found.update(dict.fromkeys((name.strip() for name in names.split(",")), said))
    return found


def _reader(default: object) -> Callable[[str], Any]:
    """Return how the text of an option is read, by the type of its default."""
    return int if isinstance(default, int) else float if isinstance(default, float) else str


def given(args: argparse.Namespace, settings: type) -> dict[str, Any]:
    """Return the options that belong to a dataclass and were given."""
    names = (field.name for field in fields(settings))
    return {name: getattr(args, name) for name in names if hasattr(args, name)}
