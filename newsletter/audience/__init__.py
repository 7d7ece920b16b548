"""Subscribers: addresses, lists, consent, suppression, segments, imports."""
