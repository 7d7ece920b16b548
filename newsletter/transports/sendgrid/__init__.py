"""Everything about SendGrid: sending, events, the webhook, domain checks."""
