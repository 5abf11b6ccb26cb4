"""Pictures of the report, as SVG and HTML from plain data."""
