"""Kornia transforms of whole batches: geometric ones keep the georeference."""
