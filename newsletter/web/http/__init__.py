"""The HTTP server and what runs before every page."""
