"""The one place that holds the version; setup.py reads it as text."""

VERSION = "0.1.0"
