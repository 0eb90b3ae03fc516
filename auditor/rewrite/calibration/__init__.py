"""Fitting a blurred network to what it computed before: closed forms, unlabelled pictures, no gradients."""
