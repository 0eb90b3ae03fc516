"""The loss of equivariance, layer by layer."""
