"""Reading scenes fast and safely, writing files whole or not at all, band statistics."""
