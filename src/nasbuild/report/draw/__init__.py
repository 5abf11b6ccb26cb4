"""Draws plain data of the report as SVG and HTML."""
