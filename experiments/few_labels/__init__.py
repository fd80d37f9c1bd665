"""What pretraining buys with few labels: the study of the project's docs, from one command."""
