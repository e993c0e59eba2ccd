"""How each device of a fleet signs in: by certificate, by its own key, or by the key of the login's policy."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.simulate.certificates import CertificateFolder, Certificates, Issued
from azext_iotjobs.cli.simulate.device_options import OneDevice
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.cli.simulate.select_devices import Fleet
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, Unauthorized
from azext_iotjobs.model.fleets import BY_KEY, RUN_TAG, SIMULATED_TAG, registry_time, some
from azext_iotjobs.model.identity import SignIn
from azext_iotjobs.model.target import SasKey, check_key
from azext_iotjobs.operations.identity.renew_keys import new_key
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Seen, What
from azext_iotjobs.transport.mqtt import MqttProtocol

logger = get_logger(__name__)

Credential = DeviceKey | DeviceCertificate

# The policies that every hub is born with, and whether they have the right DeviceConnect.
CONNECTS_DEVICES = {
    "iothubowner": True, "device": True, "service": False, "registryRead": False, "registryReadWrite": False,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ways:
    """The ways to sign in that were typed."""

    certificates: Certificates | None
    typed_key: str | None  # of the one device
    passed_certificate: DeviceCertificate | None  # of the one device
    made_keys: dict[str, str] = field(default_factory=dict, repr=False)  # by device that this run makes

    @classmethod
    def read(cls, one: OneDevice, fleet: FleetOptions) -> "Ways":
        """Raises UserError, naming the option."""
        path, key_path, passphrase = one.certificate_path, one.key_path, one.key_passphrase
        is_folder = path is not None and Path(path).is_dir()
        if one.device_key is not None and one.device is None:
            raise ConflictingChoice(
                "--symmetric-key is one device's key.",
                hint="A fleet signs in with the policy's key; keys of its own go into --devices-file.",
            )
        if fleet.ca_path is not None:
            if path is not None or key_path is not None:
                raise ConflictingChoice("--issue-from-ca and --certificate-file-path are two ways to sign in.")
            certificates: Certificates | None = Issued(fleet.ca_path, fleet.ca_key_path, passphrase)
        elif path is not None and key_path is None:
            if not is_folder:
                raise BadValue(f"--certificate-file-path {path} is no folder; a fleet has a file for each device.")
            certificates = CertificateFolder(path, passphrase)
        elif one.device is None and (key_path is not None or passphrase is not None):
            raise ConflictingChoice(
                "--key-file-path and --passphrase alone are about one device.",
                hint="For a fleet: --certificate-file-path with a folder, or --issue-from-ca.",
            )
        else:
            certificates = None
        if one.device_key is not None and (path is not None or certificates is not None):
            raise ConflictingChoice("--symmetric-key and a certificate are two ways to sign in.")
        if one.device_key is not None:
            check_key(one.device_key, "--symmetric-key")
        if certificates is None and path is not None and key_path is not None:
            passed = DeviceCertificate(certificate_file=path, key_file=key_path, passphrase=passphrase)
            return cls(certificates=None, typed_key=None, passed_certificate=passed)
        return cls(certificates=certificates, typed_key=one.device_key, passed_certificate=None)

    def check(self, fleet: Fleet) -> None:
        """Raise UserError when a device could not sign in, before anything is made."""
        if self.passed_certificate is not None or self.typed_key is not None:
            return
        by_certificate = [each.device_id for each in fleet.there if each.sign_in != BY_KEY]
        if self.certificates is None:
            if by_certificate:
                raise MissingChoice(
                    f"{some(by_certificate)}: registered to sign in by certificate.",
                    hint="Give --certificate-file-path FOLDER, or --issue-from-ca for those that a CA vouches for.",
                )
            return
        self.certificates.check([*by_certificate, *fleet.missing])
        if not by_certificate and not fleet.missing:
            raise ConflictingChoice(
                f"Certificates are given, but {some([each.device_id for each in fleet.there])} sign in by key.",
                hint="Leave them out, or have the devices made with --create.",
            )

    def new_device(self, device_id: str, run: str, more_tags: Mapping[str, Any] | None = None) -> NewDevice:
        """A device as this run registers it."""
        tags = {**(more_tags or {}), SIMULATED_TAG: True, RUN_TAG: run}
        if self.certificates is not None:
            thumbprint = self.certificates.thumbprint(device_id)
            return NewDevice(device_id=device_id, sign_in=self.certificates.kind, thumbprint=thumbprint, tags=tags)
        # Bulk answers show no keys: made here, they are known without asking for each.
        self.made_keys[device_id] = new_key()
        return NewDevice(
            device_id=device_id,
            sign_in=SignIn.SAS,
            primary_key=self.made_keys[device_id],
            secondary_key=new_key(),
            tags=tags,
        )

    def credentials(
        self, client: HubClient, fleet: Fleet, folder: Path, way: MqttProtocol, stop: StopFlag
    ) -> dict[str, Credential]:
        """What each device signs in with; without those that `stop` came before.

        fleet: all are registered.  folder: for certificates that have to be written.
        Raises BadValue, HubAnswer, LinkError.
        """
        found: dict[str, Credential] = {}
        for each in fleet.there:
            name = each.device_id
            if self.passed_certificate is not None:
                found[name] = self.passed_certificate
            elif self.typed_key is not None:
                found[name] = DeviceKey(device_id=name, key=self.typed_key)
            elif each.sign_in != BY_KEY and self.certificates is not None:
                found[name] = self.certificates.of(name, folder)
            elif name in fleet.own_keys:
                found[name] = fleet.own_keys[name]
        others = [each.device_id for each in fleet.there if each.device_id not in found]
        if not others:
            return found
        policy = client.policy_key
        if policy is not None and _lets_in(policy, lambda: may_connect(client, policy, others[0], way, stop)):
            return {**found, **{name: _by_policy(name, policy) for name in others}}
        return {**found, **_keys_of(client, others, self.made_keys, stop)}


def _lets_in(policy: SasKey, tried: Callable[[], bool]) -> bool:
    known = CONNECTS_DEVICES.get(policy.policy)
    return tried() if known is None else known


def _by_policy(device_id: str, policy: SasKey) -> DeviceKey:
    return DeviceKey(device_id=device_id, key=policy.key, policy=policy.policy)


def may_connect(client: HubClient, policy: SasKey, device_id: str, way: MqttProtocol, stop: StopFlag) -> bool:
    """Whether a policy of unknown rights lets a device in: connect one, once."""
    connected = threading.Event()

    class Stop:
        def is_set(self) -> bool:
            return connected.is_set() or stop.is_set()

    def on_seen(_device: str, seen: Seen) -> None:
        if seen.what is What.READY:
            connected.set()

    device = event_loop.SimulatedDevice(
        device_id=device_id, credential=_by_policy(device_id, policy), behaviour=Behaviour(), plan=None
    )
    try:
        event_loop.run(client.target, [device], on_seen, SystemClock(), Stop(), way)
    except Unauthorized:
        logger.warning("Policy %s may not connect devices: they sign in with their own keys.", policy.policy)
        return False
    return True


def _keys_of(client: HubClient, names: Sequence[str], made: Mapping[str, str], stop: StopFlag) -> dict[str, Credential]:
    unknown = [name for name in names if name not in made]
    if unknown and not client.target.is_local:
        logger.warning("Reading %d devices' keys, one request each: %s.", len(unknown), registry_time(len(unknown)))
    keys: dict[str, Credential] = {}
    for name in names:
        if name in made:
            keys[name] = DeviceKey(device_id=name, key=made[name])
        elif not stop.is_set():
            keys[name] = DeviceKey(device_id=name, key=client.key_of(name))
    return keys
