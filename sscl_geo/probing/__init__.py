"""How much frozen features know of classes, pixel by pixel."""
