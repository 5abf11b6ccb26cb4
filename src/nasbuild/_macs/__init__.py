"""Counts multiply-accumulates (MACs), for networks that are read and networks that are run."""
