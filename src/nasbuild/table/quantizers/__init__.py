"""Files of quantisers and pruners as rows: which choice each layer has, and what was measured of it."""
