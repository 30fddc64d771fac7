"""What ``benchmarks/evaluation.py`` measures: synthetic data, competitors, and their processes."""
