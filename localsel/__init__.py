"""Choose which instructions are worth annotating, offline, with a local language model."""
