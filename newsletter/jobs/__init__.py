"""Who hands chunks to workers: Procrastinate, or a local loop."""
