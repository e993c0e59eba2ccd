"""Pictures for the docs: terminals, of sessions that are really run, and diagrams, of the code's own tables."""
