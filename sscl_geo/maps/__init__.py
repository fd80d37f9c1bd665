"""Segmenting scenes of any size into maps that a GIS reads."""
