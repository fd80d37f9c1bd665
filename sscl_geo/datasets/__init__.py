"""TorchGeo datasets: scenes, labels and pairs."""
