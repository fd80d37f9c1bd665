"""Affines, footprints and correspondences between views; no input or output."""
