"""Articles: reads a Markdown file into an Issue."""
