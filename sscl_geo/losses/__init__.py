"""Losses of the instance and the consistency branch, one module a file."""
