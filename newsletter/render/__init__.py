"""Compiles an issue and its templates into mail: the same bytes every time."""
