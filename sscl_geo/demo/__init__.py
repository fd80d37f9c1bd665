"""The demo: a real sample scene, and the whole path from raw pixels to a measured map."""
