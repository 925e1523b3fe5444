"""Pipelines in Python, a folder each: a thin flow, steps as plain functions, the compiled form."""
