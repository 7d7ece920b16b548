"""Markdown file -> Issue."""

from newsletter.content.blocks import inlines
from newsletter.content.model import (
    PLACEHOLDERS,
    Audience,
    Bar,
    Bars,
    Block,
    CallToAction,
    Citation,
    DataTable,
    FrontMatter,
    Glance,
    Hero,
    ImageUse,
    Issue,
    MergeUse,
    Note,
    Prose,
    Reference,
    Study,
)
from newsletter.content.near import did_you_mean
from newsletter.content.reader import read_issue, select, topics_of

__all__ = [
    "PLACEHOLDERS",
    "Audience",
    "Bar",
    "Bars",
    "Block",
    "CallToAction",
    "Citation",
    "DataTable",
    "FrontMatter",
    "Glance",
    "Hero",
    "ImageUse",
    "Issue",
    "MergeUse",
    "Note",
    "Prose",
    "Reference",
    "Study",
    "did_you_mean",
    "inlines",
    "read_issue",
    "select",
    "topics_of",
]
