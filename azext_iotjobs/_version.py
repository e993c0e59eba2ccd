"""The one place that holds the version; pyproject.toml names it."""

VERSION = "0.1.0"
