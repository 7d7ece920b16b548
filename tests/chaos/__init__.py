"""Sending under attack: killed senders, a server that misbehaves, and an audit of every row."""
