"""The HTTP server and the public pages."""
