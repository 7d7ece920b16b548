"""Configuration: one model, read from `newsletter.toml` and the environment.

Environment names are ``NEWSLETTER_`` plus the setting, with ``__`` between levels:
``NEWSLETTER_SMTP__HOST``. Secrets are read from the environment only.
"""
