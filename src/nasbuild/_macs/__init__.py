"""How multiply-accumulates are counted, where networks are read and where they are run."""
