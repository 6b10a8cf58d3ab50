"""The program that makes the vectors, deterministically: ``python -m conformance.generate``."""
