"""Computes what the report shows, as plain data."""
