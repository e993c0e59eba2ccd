"""Help text and examples of every command. Importing it fills knack's table, which the documents are made from, too."""

import azext_iotjobs.cli.console.help
import azext_iotjobs.cli.edge.help
import azext_iotjobs.cli.events.help
import azext_iotjobs.cli.fleet_job.central.help
import azext_iotjobs.cli.fleet_job.help
import azext_iotjobs.cli.fleet_job.read_help
import azext_iotjobs.cli.fleet_job.schedule.help
import azext_iotjobs.cli.identity.help
import azext_iotjobs.cli.identity.transfer_help
import azext_iotjobs.cli.job.help
import azext_iotjobs.cli.local_hub.help
import azext_iotjobs.cli.message.help
import azext_iotjobs.cli.method.help
import azext_iotjobs.cli.query.help
import azext_iotjobs.cli.simulate.help
import azext_iotjobs.cli.twin.help  # noqa: F401
