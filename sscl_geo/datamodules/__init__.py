"""Lightning data modules for pairs and for labelled patches."""
