"""Signing up, confirming, preferences, unsubscribing."""
