"""Segments: a part of a list, as a small boolean expression; see docs/segments.md."""
