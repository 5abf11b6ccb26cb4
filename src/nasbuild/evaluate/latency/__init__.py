"""Latency, measured by several processes that time short visits in turn."""
