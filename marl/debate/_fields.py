"""Checks of the fields of settings; each error names the field, the rule and the value."""

from __future__ import annotations

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


def positive(settings: Any, *names: str) -> None:
    """Raise if a field is not a number above 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} must be positive; got {getattr(settings, name)!r}")


def not_negative(settings: Any, *names: str) -> None:
    """Raise if a field is not a number of at least 0."""
    for name in names:
        if not getattr(settings, name) >= 0:
            raise ValueError(f"{name} must be at least 0; got {getattr(settings, name)!r}")


def share(settings: Any, *names: str) -> None:
    """Raise if a field is not in [0, 1]."""
    for name in names:
        if not 0.0 <= getattr(settings, name) <= 1.0:
            raise ValueError(f"{name} must be in [0, 1]; got {getattr(settings, name)!r}")
