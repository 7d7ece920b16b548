"""Articles: a Markdown file into an Issue."""
