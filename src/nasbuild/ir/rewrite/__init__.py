"""Rewrites graphs of both readers into one canonical form: fusions, folds, data movement."""
