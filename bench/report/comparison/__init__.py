"""Comparing runs: paired by sample, tested by case, judged by a gate."""
