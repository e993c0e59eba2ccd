"""Help text and examples of every command; docs/commands.md is made from it. Importing it fills knack's table."""

from azext_iotjobs.cli.help import devices, fleet_jobs, jobs, local_hub, modules, registry, tokens  # noqa: F401
