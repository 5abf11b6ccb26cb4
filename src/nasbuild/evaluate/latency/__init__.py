"""Latency of networks: several processes time short samples of all networks in turn, and their samples are combined."""
