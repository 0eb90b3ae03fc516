"""From a model file to a settled report."""
