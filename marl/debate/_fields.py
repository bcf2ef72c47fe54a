"""Checks of the fields of settings; each error names the field, the rule and the value."""

from __future__ import annotations

import math
from typing import Any


def one_of(settings: Any, **allowed: tuple[str, ...]) -> None:
    """Raise if a field has none of its allowed values."""
    for name, values in allowed.items():
        if getattr(settings, name) not in values:
            raise ValueError(
                f"{name} must be one of {', '.join(values)}; got {getattr(settings, name)!r}"
            )


def positive_whole(settings: Any, *names: str) -> None:
    """Raise if a field is not a whole number of at least 1."""
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer; got {value!r}")


def whole(settings: Any, *names: str) -> None:
    """Raise if a field is not a whole number of at least 0."""
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} must be at least 0, a whole number; got {value!r}")


def positive(settings: Any, *names: str) -> None:
    """Raise if a field is not a finite number above 0."""
    for name in names:
        value = getattr(settings, name)
        if not (_is_number(value) and 0 < value < math.inf):
            raise ValueError(f"{name} must be positive, a finite number; got {value!r}")


def not_negative(settings: Any, *names: str, finite: bool = True) -> None:
    """Raise if a field is not a number of at least 0; infinity is one unless `finite`."""
    for name in names:
        value = getattr(settings, name)
        if not (_is_number(value) and value >= 0):
            raise ValueError(f"{name} must be at least 0; got {value!r}")
        if finite and value == math.inf:
            raise ValueError(f"{name} must be finite; got {value!r}")


def share(settings: Any, *names: str) -> None:
    """Raise if a field is not in [0, 1]."""
    for name in names:
        value = getattr(settings, name)
        if not (_is_number(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"{name} must be in [0, 1]; got {value!r}")


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
