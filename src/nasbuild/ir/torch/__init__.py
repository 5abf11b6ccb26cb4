"""Reads torch modules as operator graphs."""
