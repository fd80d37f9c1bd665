"""Many scenes: what is done with each, on one machine or on many."""
