"""The options of the commands: each declared once, read by the command line, Python callers, plugins and settings."""
