"""The version of aliasaudit, in one place without imports."""

__version__ = "0.2.0"
