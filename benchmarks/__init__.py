"""Measurements; they need the package with its extra ``benchmark``, and a quiet machine."""
