"""The built-in rule pack: one ``aaNNN_name.py`` and one ``aaNNN_name.md`` per rule, found by their file names."""
