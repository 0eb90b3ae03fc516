"""The JSON document of a report, written and read."""
