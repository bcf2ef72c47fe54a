"""Measurements, not tests: each module is a command, ``python -m benchmarks.<name> --help``.

Nothing here asserts a time, and nothing in the library imports it.
"""
