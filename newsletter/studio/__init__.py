"""Pages for staff on loopback: the preview and the demonstration."""
