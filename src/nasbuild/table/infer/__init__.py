"""Infers a space from the table that a user has: stages, depths, features, metrics and directions."""
