"""Tests of the learning half of the project."""
