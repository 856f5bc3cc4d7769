"""Plans of stacks: what is planned against, what was found, and its three forms (tree, JSON, Markdown)."""
