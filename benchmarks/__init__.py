"""Measures the bridge against what its users would otherwise run, and against the least that the work takes."""
