"""Help text and examples of every command; docs/commands.md is made from it. Importing it fills knack's table."""

import azext_iotjobs.cli.fleet_job.help
import azext_iotjobs.cli.identity.help
import azext_iotjobs.cli.identity.module_help
import azext_iotjobs.cli.identity.token_help
import azext_iotjobs.cli.job.help
import azext_iotjobs.cli.local_hub.help
import azext_iotjobs.cli.simulate.help  # noqa: F401
