"""Deployment targets: what each runtime makes of the forms that sample, by tables of what was measured and read."""
