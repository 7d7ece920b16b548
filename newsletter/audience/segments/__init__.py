"""Segments: a part of a list, said as a small boolean expression; see docs/segments.md."""

from newsletter.audience.segments.dated import dated, require_clear
from newsletter.audience.segments.model import Condition
from newsletter.audience.segments.names import check_names
from newsletter.audience.segments.parse import parse_segment
from newsletter.audience.segments.sql import where

__all__ = ["Condition", "check_names", "dated", "parse_segment", "require_clear", "where"]
