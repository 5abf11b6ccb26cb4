"""The additive Gaussian process over stages, which recipe ``default`` fits."""
