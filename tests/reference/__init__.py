"""Slow answers written straight from the formulas; the package never imports them."""
