"""Bounces, complaints and auto-replies: what comes back, understood."""

from newsletter.events.classify import classify
from newsletter.events.model import Kind, Recipient, Report

__all__ = ["Kind", "Recipient", "Report", "classify"]
