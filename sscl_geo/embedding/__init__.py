"""Dense embeddings of scenes: features of an encoder as rasters for a GIS."""
