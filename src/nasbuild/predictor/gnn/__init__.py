"""The graph neural networks of the paper: FE-MLP, hops, losses and ensembles."""
