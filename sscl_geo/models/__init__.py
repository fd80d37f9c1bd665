"""Encoders, heads, and the predictor that turns raw pixels into probabilities."""
