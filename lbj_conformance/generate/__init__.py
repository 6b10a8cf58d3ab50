"""The program that makes the vectors, deterministically: ``python -m lbj_conformance.generate``."""
