"""What is measured: benchmarks, studies, and their results with the command that made them."""
