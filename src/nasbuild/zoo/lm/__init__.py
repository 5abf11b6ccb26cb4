"""Language models: their parts switched off, narrowed and quantised."""
