"""What the report shows, as plain data."""
