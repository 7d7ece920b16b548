"""Issue and templates in, compiled issue out: the same bytes every time."""
