"""Everything SendGrid: sending, events, the webhook, domain checks."""
