"""Benchmarks, one a file: ``python -m experiments.benchmarks.NAME [--quick]``."""
