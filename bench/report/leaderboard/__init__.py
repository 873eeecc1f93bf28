"""Leaderboards from files: submissions, ranking within comparability classes, and what is written of them."""
