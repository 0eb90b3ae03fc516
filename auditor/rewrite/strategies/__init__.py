"""The rewrites, one file each behind the small protocol of :mod:`auditor.rewrite.strategies.strategy`."""
