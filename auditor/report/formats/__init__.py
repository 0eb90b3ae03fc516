"""One pure renderer per report format."""
