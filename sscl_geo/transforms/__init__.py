"""Transforms of whole batches on the device: geometric ones keep the georeference."""
