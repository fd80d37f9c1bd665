"""TorchGeo samplers that draw pairs and patches by map coordinates."""
