"""What an SMTP reply means for the recipient: hard, soft, block or unknown."""
