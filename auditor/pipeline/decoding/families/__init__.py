"""One file per group of layouts that share a formula; each lists its own in ``LAYOUTS``."""
