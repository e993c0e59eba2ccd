"""For tools that look for this file (azdev and other builders of az extensions): pyproject.toml holds the metadata."""

from setuptools import setup

setup()
