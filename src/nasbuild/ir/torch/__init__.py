"""Torch modules as operator graphs."""
