"""aliasaudit: audit ONNX vision models for aliasing and lost shift-equivariance."""

__version__ = "0.1.0"
