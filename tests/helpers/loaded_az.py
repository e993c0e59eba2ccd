"""What the processes of az in tests begin with: azure-cli's modules that commands below `az iot` import, and others,
with what these import. Run in the process that they are forked from (`warm_az.py`).
"""

from importlib import import_module

LOADED = """
    azure.cli.core._breaking_change azure.cli.core._completers azure.cli.core._help azure.cli.core._output
    azure.cli.core.azlogging azure.cli.core.command_recommender azure.cli.core.commands.arm
    azure.cli.core.commands.command_operation azure.cli.core.commands.parameters azure.cli.core.commands.transform
    azure.cli.core.extension._index azure.cli.core.extension.operations azure.cli.core.intercept_survey
    azure.cli.core.parser azure.cli.core.telemetry
    azure.cli.command_modules.iot.commands azure.cli.command_modules.iot.custom azure.cli.core._help_loaders
    azure.cli.command_modules.iot._validators azure.common encodings.utf_8_sig gc glob html jmespath msal
    msal_extensions pkginfo.wheel pkgutil pwd sqlite3 tabulate timeit yaml
""".split()
for name in LOADED:
    import_module(name)
