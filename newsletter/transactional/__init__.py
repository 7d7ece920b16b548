"""Mail to one person who asked for it: confirmations and welcomes, and how they leave."""
