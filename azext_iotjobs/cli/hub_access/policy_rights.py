"""The rights of a shared access policy that commands need, for choosing a policy's key.

Source: IoT Hub "control access": registry reading and writing, ServiceConnect for twins, methods, queries and messages,
DeviceConnect for what a device does. Jobs are listed nowhere; the how-to guides use registry rights, and what a job
does to devices needs ServiceConnect.
"""

Rights = frozenset[str]

NO_RIGHTS: Rights = frozenset()
REGISTRY_READ: Rights = frozenset({"RegistryRead"})
REGISTRY_WRITE: Rights = frozenset({"RegistryWrite"})  # includes reading
SERVICE_CONNECT: Rights = frozenset({"ServiceConnect"})
DEVICE_CONNECT: Rights = frozenset({"DeviceConnect"})
REGISTRY_READ_AND_SERVICE: Rights = REGISTRY_READ | SERVICE_CONNECT
REGISTRY_WRITE_AND_SERVICE: Rights = REGISTRY_WRITE | SERVICE_CONNECT
ALL_RIGHTS: Rights = REGISTRY_WRITE | SERVICE_CONNECT | DEVICE_CONNECT
