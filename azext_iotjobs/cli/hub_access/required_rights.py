"""The rights of a shared access policy that each command needs, for choosing a policy's key.

Source: IoT Hub "control access": registry reading and writing, ServiceConnect for twins, methods, queries and messages,
DeviceConnect for what a device does. Jobs are nowhere listed; the how-to guides use registry rights, and what a job
does to devices needs ServiceConnect.
"""

ALL = frozenset({"RegistryWrite", "ServiceConnect", "DeviceConnect"})

# First match wins, by the command's first words. A command that is not here is given all rights.
NEEDED = (
    ("iot hub job", {"RegistryWrite", "ServiceConnect"}),
    ("iot hub fleet-job", {"RegistryWrite", "ServiceConnect"}),  # jobs, calls, configuration content
    ("iot hub device-identity list", {"ServiceConnect"}),
    ("iot hub device-identity show", {"RegistryRead"}),
    ("iot hub device-identity connection-string", {"RegistryRead"}),
    ("iot hub device-identity parent show", {"RegistryRead"}),
    ("iot hub device-identity children list", {"RegistryRead", "ServiceConnect"}),  # the registry, and a query
    ("iot hub device-identity children remove", {"RegistryWrite", "ServiceConnect"}),
    ("iot hub device-identity renew-key", {"RegistryWrite", "ServiceConnect"}),
    ("iot hub device-identity", {"RegistryWrite"}),
    ("iot hub device-twin", {"ServiceConnect"}),
    ("iot hub generate-sas-token", {"RegistryRead"}),  # a device's or module's own key
    ("iot hub module-identity list", {"RegistryRead"}),
    ("iot hub module-identity show", {"RegistryRead"}),
    ("iot hub module-identity connection-string", {"RegistryRead"}),
    ("iot hub module-identity", {"RegistryWrite"}),
    ("iot hub module-twin", {"ServiceConnect"}),
    ("iot hub invoke-device-method", {"ServiceConnect"}),
    ("iot hub invoke-module-method", {"ServiceConnect"}),
    ("iot hub query", {"ServiceConnect"}),
    ("iot device c2d-message purge", {"ServiceConnect"}),
    ("iot device c2d-message", {"DeviceConnect"}),
    ("iot device send-d2c-message", {"RegistryRead"}),  # the device's own key
    ("iot device simulate", {"RegistryRead"}),
)


def needed_rights(command: str) -> frozenset[str]:
    """The rights that an az command, such as "iot hub job create", needs."""
    for words, rights in NEEDED:
        if f"{command} ".startswith(f"{words} "):
            return frozenset(rights)
    return ALL
