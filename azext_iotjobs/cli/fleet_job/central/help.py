"""Help of the import from IoT Central."""

from azext_iotjobs.cli.output.help_text import command

command(
    "iot hub fleet-job import",
    "Import jobs, scheduled jobs and device groups of IoT Central.",
    (
        "See what would become of each document and each of its members.",
        "az iot hub fleet-job import -n localhost --from-central groups.json jobs.json scheduled.json --dry-run "
        "-o table",
    ),
    (
        "Import them. The hub has provisioned devices only, and none that IoT Central simulates.",
        "az iot hub fleet-job import -n localhost --from-central groups.json jobs.json scheduled.json "
        "--assume provisioned=true simulated=false",
    ),
    (
        "Company is a cloud property, and light a writable property.",
        "az iot hub fleet-job import -n localhost --from-central groups.json "
        "--map Company=tags.Company light=properties.reported.light.value",
    ),
    (
        "Devices have the id of their template in a tag.",
        "az iot hub fleet-job import -n localhost --from-central groups.json --map '$template=tags.template'",
    ),
    (
        "What was not imported, and why.",
        "az iot hub fleet-job import -n localhost --from-central jobs.json groups.json "
        "--query \"[?result=='refused'].[document,id,reason]\" -o tsv",
    ),
    long="A device group becomes a device group of the same name, a job a fleet job for that group, a scheduled job a "
    "fleet job with a schedule in UTC. Nothing runs by the import itself.\nA document is imported whole or not at all, "
    "and can be given again. The result has each member of each document, with what it became. Jobs name their device "
    "group by its id, so the device groups have to be among the files.\nExit codes: 0 all documents are imported or "
    "unchanged, or runs of the past; 4 some or all were refused.",
)
