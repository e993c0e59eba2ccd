"""What each simulated device signs in with: a certificate, its own key, or the key of the login's policy."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.simulate.certificates import CertificateFolder, Certificates, IssuedCertificates
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import SimulatedDevices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, Unauthorized
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.simulated_devices import BY_KEY, RUN_TAG, SIMULATED_TAG, registry_time, shown_ids
from azext_iotjobs.model.target import SasKey, check_key
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.identity.renew_keys import new_key
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Activity, ActivityKind
from azext_iotjobs.transport.device_login import DeviceCredential
from azext_iotjobs.transport.mqtt import MqttProtocol

logger = get_logger(__name__)

# The policies that every hub has from the start, and whether they have the right DeviceConnect.
CONNECTS_DEVICES = {
    "iothubowner": True,
    "device": True,
    "service": False,
    "registryRead": False,
    "registryReadWrite": False,
}


@dataclass(frozen=True, kw_only=True)
class CredentialPlan:
    """How the devices sign in, as typed."""

    certificates: Certificates | None = None
    typed_key: str | None = field(default=None, repr=False)  # of the one device
    typed_certificate: DeviceCertificate | None = None  # of the one device
    new_keys: dict[str, str] = field(default_factory=dict, repr=False)  # by device that this run creates

    @classmethod
    def read(cls, device: str | None, sign_in: SignInOptions, options: SimulateOptions) -> "CredentialPlan":
        """Read the options.

        device: the one device; None: there are many.
        Raises UserError, which names the option.
        """
        path, key_path = sign_in.certificate_file_path, sign_in.key_file_path
        if sign_in.symmetric_key is not None and device is None:
            raise ConflictingChoice(
                "--symmetric-key is one device's key.",
                hint="Many devices sign in with the policy's key; keys of their own go into --devices-file.",
            )
        certificates = _certificates(device, sign_in, options)
        if sign_in.symmetric_key is not None and (path is not None or certificates is not None):
            raise ConflictingChoice("--symmetric-key and a certificate are two ways to sign in.")
        if sign_in.symmetric_key is not None:
            check_key(sign_in.symmetric_key, "--symmetric-key")
        if certificates is None and path is not None and key_path is not None:
            return cls(typed_certificate=sign_in.certificate(path, key_path))
        return cls(certificates=certificates, typed_key=sign_in.symmetric_key)

    def check(self, devices: SimulatedDevices) -> None:
        """Raise UserError when a device could not sign in, before any is created."""
        if self.typed_certificate is not None or self.typed_key is not None:
            return
        by_certificate = [each.device_id for each in devices.existing if each.sign_in != BY_KEY]
        if self.certificates is None:
            if by_certificate:
                raise MissingChoice(
                    f"{shown_ids(by_certificate)}: registered to sign in by certificate.",
                    hint="Give --certificate-file-path FOLDER, or --issue-from-ca for those that a CA vouches for.",
                )
            return
        self.certificates.check([*by_certificate, *devices.missing])
        if not by_certificate and not devices.missing:
            raise ConflictingChoice(
                f"Certificates are given, but {shown_ids([each.device_id for each in devices.existing])} sign in by "
                "key.",
                hint="Leave them out, or have the devices made with --create.",
            )

    def new_device(self, device_id: str, run: str, extra_tags: Mapping[str, Any] | None = None) -> NewDevice:
        """A device as a run registers it; a key that it gets is in `new_keys` afterwards.

        run: the name of the run, for its tags.  extra_tags: further ones.
        """
        tags = {**(extra_tags or {}), SIMULATED_TAG: True, RUN_TAG: run}
        if self.certificates is not None:
            thumbprint = self.certificates.thumbprint(device_id)
            identity = NewIdentity(
                device_id=device_id,
                sign_in=self.certificates.kind,
                primary_thumbprint=thumbprint,
                secondary_thumbprint=thumbprint,
            )
            return NewDevice(identity=identity, tags=tags)
        # Responses to bulk requests hold no keys: those made here need not be read one by one.
        key = self.new_keys[device_id] = new_key()
        identity = NewIdentity(device_id=device_id, primary_key=key, secondary_key=new_key())
        return NewDevice(identity=identity, tags=tags)

    def credentials(
        self, client: HubClient, devices: SimulatedDevices, folder: Path, way: MqttProtocol, stop: StopFlag
    ) -> dict[str, DeviceCredential]:
        """What each device signs in with; without the devices whose key was not read before `stop`.

        devices: all registered.  folder: where certificates are written that are issued.  way: how devices connect.
        Raises BadValue, HubAnswer, LinkError.
        """
        found: dict[str, DeviceCredential] = {}
        for each in devices.existing:
            name = each.device_id
            if self.typed_certificate is not None:
                found[name] = self.typed_certificate
            elif self.typed_key is not None:
                found[name] = DeviceKey(device_id=name, key=self.typed_key)
            elif each.sign_in != BY_KEY and self.certificates is not None:
                found[name] = self.certificates.of(name, folder)
            elif name in devices.own_keys:
                found[name] = devices.own_keys[name]
        others = [each.device_id for each in devices.existing if each.device_id not in found]
        if not others:
            return found
        policy = client.policy_key
        if policy is not None and _connects(policy, lambda: may_connect(client, policy, others[0], way, stop)):
            return {**found, **{name: _policy_key(name, policy) for name in others}}
        return {**found, **_own_keys(client, others, self.new_keys, stop)}


def _certificates(device: str | None, sign_in: SignInOptions, options: SimulateOptions) -> Certificates | None:
    """Where the devices' certificates come from; None: they have none, or the one device has the typed one."""
    path, key_path = sign_in.certificate_file_path, sign_in.key_file_path
    if options.issue_from_ca is not None:
        if path is not None or key_path is not None:
            raise ConflictingChoice("--issue-from-ca and --certificate-file-path are two ways to sign in.")
        return IssuedCertificates(options.issue_from_ca, options.ca_key, sign_in.our_passphrase)
    if path is not None and key_path is None:
        if not os.path.isdir(path):
            raise BadValue(f"--certificate-file-path {path} is not a folder; many devices need a file each.")
        return CertificateFolder(path, sign_in.our_passphrase)
    if device is None and (key_path is not None or sign_in.our_passphrase is not None):
        raise ConflictingChoice(
            "--key-file-path and --passphrase alone are about one device.",
            hint="For many devices: --certificate-file-path with a folder, or --issue-from-ca.",
        )
    return None


def _connects(policy: SasKey, is_tried: Callable[[], bool]) -> bool:
    known = CONNECTS_DEVICES.get(policy.policy)
    return is_tried() if known is None else known


def _policy_key(device_id: str, policy: SasKey) -> DeviceKey:
    return DeviceKey(device_id=device_id, key=policy.key, policy=policy.policy)


def may_connect(client: HubClient, policy: SasKey, device_id: str, way: MqttProtocol, stop: StopFlag) -> bool:
    """Whether a policy whose rights are not known may connect devices: connects one, once.

    stop: ends the attempt; the policy is taken to have the right then.
    Raises LinkError, BadValue.
    """
    connected = threading.Event()

    class Stop:
        def is_set(self) -> bool:
            return connected.is_set() or stop.is_set()

    def on_activity(_device: str, activity: Activity) -> None:
        if activity.kind is ActivityKind.READY:
            connected.set()

    device = event_loop.SimulatedDevice(
        device_id=device_id, credential=_policy_key(device_id, policy), behaviour=Behaviour(), plan=None
    )
    try:
        event_loop.run(client.target, [device], on_activity, SystemClock(), Stop(), way)
    except Unauthorized:
        logger.warning("Policy %s may not connect devices: they sign in with their own keys.", policy.policy)
        return False
    return True


def _own_keys(
    client: HubClient, names: Sequence[str], new_keys: Mapping[str, str], stop: StopFlag
) -> dict[str, DeviceCredential]:
    unknown = [name for name in names if name not in new_keys]
    if unknown and not client.target.is_local:
        devices = counted(len(unknown), "device")
        logger.warning("Reading the keys of %s, one request each: %s.", devices, registry_time(len(unknown)))
    keys: dict[str, DeviceCredential] = {}
    for name in names:
        if name in new_keys:
            keys[name] = DeviceKey(device_id=name, key=new_keys[name])
        elif not stop.is_set():
            keys[name] = DeviceKey(device_id=name, key=client.key_of(name))
    return keys
