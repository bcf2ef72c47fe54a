"""Sympy, imported when a derivation runs, and the one way to have an identity proved."""

from __future__ import annotations

from typing import Any

from rqe.theorems._base import Proved


def sympy() -> Any:
    """Return the module; a clear ImportError where it is missing."""
    try:
        import sympy as module
    except ImportError as error:
        raise ImportError("derivations need sympy: pip install 'rqe[theorems]'") from error
    return module


def prove(claim: str, left: Any, right: Any) -> Proved:
    """Return the identity if sympy reduces the difference of its sides to zero."""
    module = sympy()
    difference = module.simplify(module.expand(module.sympify(left) - module.sympify(right)))
    if difference != 0:
        raise ArithmeticError(f"{claim}: the sides differ by {difference}")
    return Proved(claim, module.sympify(left), module.sympify(right))


def positive(names: str) -> Any:
    """Return positive symbols."""
    return sympy().symbols(names, positive=True)


def real(names: str) -> Any:
    """Return real symbols."""
    return sympy().symbols(names, real=True)
