"""A report of one campaign: what was sent, who approved it, and the delivery results."""
