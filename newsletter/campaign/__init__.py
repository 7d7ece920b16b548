"""Campaigns: build an issue, approve it, launch it, run it, see its status."""
