"""From a file, a folder or a seed to the arrays a model takes."""
