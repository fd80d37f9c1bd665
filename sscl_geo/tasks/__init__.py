"""Lightning modules on top of TorchGeo tasks."""
