"""Hands chunks to workers: through Procrastinate, or a local loop."""
