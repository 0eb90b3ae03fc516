"""The version of aliasaudit and where it lives, in one place without imports."""

__version__ = "0.2.0"
REPOSITORY = "https://github.com/aliasaudit/aliasaudit"  # scripts/address.py writes it
