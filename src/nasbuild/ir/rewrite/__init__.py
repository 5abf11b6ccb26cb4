"""Rewrites that bring graphs of both routes to one form: fusions, folds, canonical data movement."""
