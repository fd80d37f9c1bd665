"""Whether a short pretraining gives features that tell classes apart better than random ones."""
