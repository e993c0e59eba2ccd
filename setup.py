"""A shim for tools that look for this file (azdev, the Azure CLI extensions' own builds); pyproject.toml holds the metadata."""

from setuptools import setup

setup()
