"""Bounces, complaints, unsubscribe requests and provider events: parse, classify, apply."""
