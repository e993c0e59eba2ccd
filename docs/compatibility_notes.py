"""What docs/compatibility.md cannot find by comparing: the hand-written notes, by command and option.

An option is named by its longest spelling; `*` stands for every command that has it.
"""

# Defaults that look different and mean the same.
OTHER_DEFAULTS = {
    # "key" too, but left to the client factory: az does not read configured defaults for these.
    "--auth-type": None,
    # The generic edits: az gives them empty lists, as text.
    "--set": None,
    "--add": None,
    "--remove": None,
    "--force-string": False,
}

# Reference commands that are not here: why.
AMQP = "speaks AMQP, which comes with a later version"
STORAGE = "Azure Storage, which a local hub has not"
EDGE = "what runs on IoT Edge is out of scope"
CONFIGURATION = (
    "configurations act by themselves, without an end and without results; a job changes twins once, and says "
)
CONFIGURATION += "what became of it: `az iot hub job create`, `az iot hub fleet-job create`"
DIGITAL_TWIN = "the view that IoT Plug and Play has of a twin"
TRACING = "is a desired property: `az iot hub device-twin"
STATE = "copies hubs with their Azure resources; devices and their twins: `az iot hub query`"
ABSENT_COMMANDS = {
    "iot device c2d-message send": f"{AMQP}; to devices of a local hub: `az iot local-hub send`",
    "iot device registration create": "the Device Provisioning Service is another service",
    "iot device upload-file": f"goes to {STORAGE}",
    "iot edge deployment create": EDGE,
    "iot edge deployment delete": EDGE,
    "iot edge deployment list": EDGE,
    "iot edge deployment show": EDGE,
    "iot edge deployment show-metric": EDGE,
    "iot edge deployment update": EDGE,
    "iot edge devices create": f"{EDGE}; one edge device: `az iot hub device-identity create --edge-enabled`, its "
    "parent: `az iot hub device-identity parent set`",
    "iot edge export-modules": EDGE,
    "iot edge set-modules": EDGE,
    "iot hub configuration create": CONFIGURATION,
    "iot hub configuration delete": CONFIGURATION,
    "iot hub configuration list": CONFIGURATION,
    "iot hub configuration show": CONFIGURATION,
    "iot hub configuration show-metric": CONFIGURATION,
    "iot hub configuration update": CONFIGURATION,
    "iot hub device-identity export": f"goes to {STORAGE}",
    "iot hub device-identity import": f"comes from {STORAGE}",
    "iot hub devicestream show": "device streams are a preview in few regions, which a local hub has not",
    "iot hub digital-twin invoke-command": f"{DIGITAL_TWIN}: `az iot hub invoke-device-method`, where a component's "
    "command is the method `component*command`",
    "iot hub digital-twin show": f"{DIGITAL_TWIN}: `az iot hub device-twin show`",
    "iot hub digital-twin update": f"{DIGITAL_TWIN}: `az iot hub device-twin update`",
    "iot hub distributed-tracing show": f"{TRACING} show`, `azureiot*com^dtracing^1`",
    "iot hub distributed-tracing update": f"{TRACING} update --desired "
    '\'{"azureiot*com^dtracing^1": {"sampling_mode": 1, "sampling_rate": 50}}\'`',
    "iot hub monitor-events": f"{AMQP}; of a local hub: `az iot local-hub events`",
    "iot hub monitor-feedback": AMQP,
    "iot hub state export": STATE,
    "iot hub state import": STATE,
    "iot hub state migrate": STATE,
}

# Options that are missing, or taken and always refused: why.
ABSENT_OPTIONS: dict[tuple[str, str], str] = {}

# What does otherwise in every command.
EVERYWHERE = (
    "errors end with az's exit codes, 1 and 3 for what is not there, or with those of [exit-codes.md](exit-codes.md); "
    "the reference's ends of background threads with 0 are errors here",
    "stdout has the result alone, or what a simulated device sees; progress, hints and warnings go to stderr",
    "`--debug` shows each request and answer with keys, signatures and tokens covered; what tags, properties and "
    "payloads call `key` is shown, unless it has the form of a hub's key",
)

# What does otherwise than the reference, on purpose. (command, "") is about the command as a whole.
NO_RACE = "without it, the etag that was read counts: what someone else changed meanwhile is not overwritten"
MANY = (
    "for several the exit code is 4 when some were not renewed, `--exit-zero` for the reference's way; the hub's "
    "reasons go to stderr; nothing but the result is printed on stdout; one without keys is an error, as in the "
    "reference, and ends with 0 by `--exit-zero`"
)
KEYS_ONLY = "with an X.509 method it is refused, not left out"
THUMBPRINTS_ONLY = "without `--auth-method x509_thumbprint` it is refused, not left out"
VALID_DAYS = (
    "an error without `--output-dir`: the key would be lost; without `--auth-method x509_thumbprint` it is refused, "
    "where the reference makes a certificate that nothing uses"
)
SENT_CLEAN = (
    "a misspelled member is refused, before the rest is removed; what only the hub writes is left out, so that a twin "
    "can be sent back as it was shown"
)
PAIRS = (
    "a part that is not key=value, a key that stands twice and an empty list are errors, not left out; spaces around "
    "parts do not count; what is beyond ASCII is percent-encoded, bytes that are no UTF-8 are refused"
)
DTMI = "what is no DTMI by its grammar is refused, before anything is sent"
OWN_KEY = "beside a certificate it is refused, not silently preferred"
FALSY = "`0`, `{}`, `false`, `[]` and `null` count too, and are not taken for nothing"
FIXED = {
    ("iot hub job create", ""): "exit codes say what the job came to, see [exit-codes.md](exit-codes.md); "
    "`--exit-zero` for the reference's way; what is missing is refused before anything is sent",
    ("iot hub job create", "--method-payload"): "need not be given: null is sent",
    ("iot hub job create", "--query-condition"): "an empty one is an error, not all devices",
    ("iot hub job create", "--poll-duration"): "0 waits until the job's own deadline",
    ("iot hub invoke-device-method", ""): "exit code 4 when the device failed, see [exit-codes.md](exit-codes.md)",
    ("iot hub invoke-device-method", "--timeout"): "5 to 300 seconds, as the hub has it",
    ("iot hub invoke-module-method", ""): "exit code 4 when the module failed, see [exit-codes.md](exit-codes.md)",
    ("iot hub invoke-module-method", "--timeout"): "5 to 300 seconds, as the hub has it",
    ("iot hub job create", "--twin-patch"): "members that only the hub writes, such as `deviceId`, are left out with a "
    "warning (the hub ignores them; they select no device); `properties.reported` and names that no twin has are "
    "errors",
    ("iot device simulate", ""): "MQTT goes to port 8883; `--websocket` goes to port 443, the reference's way; "
    "`timestamp` in messages has its offset, `+00:00`; over HTTPS the first message that is refused ends it with an "
    "error",
    ("iot device simulate", "--properties"): f"{PAIRS}. Over HTTPS the names of the hub's headers (`iothub-…`, "
    "`content-type`, `content-encoding`) are those headers, as in the reference, and `$.mid` and its like are theirs; "
    "any other name is an application property, not a header that the hub would drop; what no header carries is "
    "refused",
    ("iot device simulate", "--model-id"): DTMI,
    ("iot device simulate", "--symmetric-key"): OWN_KEY,
    ("iot device send-d2c-message", ""): "MQTT goes to port 8883; `--websocket` goes to port 443, the reference's way; "
    "ends when the hub has acknowledged every message; messages that wait for the device are left to it, not printed "
    "and completed; how many were sent is said on stderr",
    ("iot device send-d2c-message", "--properties"): PAIRS,
    ("iot device send-d2c-message", "--model-id"): DTMI,
    ("iot device send-d2c-message", "--symmetric-key"): OWN_KEY,
    ("iot device send-d2c-message", "--msg-count"): "0 is an error",
    ("iot device send-d2c-message", "--data-file-path"): "the file's bytes are sent as they are, whatever its content "
    "type; `.json` and `.txt` set content type and encoding, unless --properties does; more than 256 KB is refused",
    ("iot device c2d-message receive", "--lock-timeout"): "5 to 300 seconds, as the hub has it",
    ("iot device simulate", "--device-id"): "need not be given where other options name a fleet",
    ("iot device simulate", "--certificate-file-path"): "of a fleet: a folder",
    ("iot device simulate", "--method-response-code"): "0 counts too, and is not taken for nothing",
    ("iot device simulate", "--method-response-payload"): FALSY,
    ("iot device simulate", "--init-reported-properties"): FALSY,
    ("iot hub device-identity create", "--primary-key"): KEYS_ONLY,
    ("iot hub device-identity create", "--secondary-key"): KEYS_ONLY,
    ("iot hub device-identity create", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--status-reason"): "more than 128 characters are refused here",
    ("iot hub device-identity create", "--valid-days"): VALID_DAYS,
    ("iot hub device-identity update", ""): "an update of nothing is an error",
    ("iot hub device-identity update", "--auth-method"): "`shared_private_key` alone keeps the keys of a device that "
    "has some; as in the reference, both keys are given with it or none, and a thumbprint with `x509_thumbprint`",
    ("iot hub device-identity update", "--primary-key"): KEYS_ONLY,
    ("iot hub device-identity update", "--secondary-key"): KEYS_ONLY,
    ("iot hub device-identity update", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity update", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--output-dir"): "files are never overwritten; the key is its owner's alone",
    ("iot hub device-identity update", "--etag"): NO_RACE,
    ("iot hub device-twin update", "--set"): "what a service cannot change (reported, status) is refused",
    ("iot hub device-identity renew-key", ""): MANY,
    ("iot hub device-identity renew-key", "--etag"): f"{NO_RACE}; refused with several devices",
    ("iot hub device-identity renew-key", "--device-id"): "a device that is named twice is renewed once; `*` asks the "
    "hub once for all devices and once for all modules",
    ("iot hub device-identity parent show", ""): "exit code 3 when the device has no parent, or the parent is gone",
    ("iot hub device-identity parent set", ""): "a parent that it has already is no error; it cannot be its own",
    ("iot hub device-identity children add", ""): "who is a child already is left as it is; when it breaks off, what "
    "was done is said",
    ("iot hub device-identity children remove", ""): "`--child-list` and `--remove-all` together are refused; removing "
    "all of none is no error",
    ("iot hub device-identity children list", ""): "ids with quotes in them are found too",
    ("iot hub device-twin replace", "--json"): SENT_CLEAN,
    ("iot hub module-twin replace", "--json"): SENT_CLEAN,
    ("iot hub module-twin update", "--set"): "what a service cannot change (reported, status) is refused",
    ("iot hub module-identity create", "--output-dir"): "files are never overwritten; their names hold the device's "
    "id, and the key is its owner's alone",
    ("iot hub module-identity create", "--valid-days"): VALID_DAYS,
    ("iot hub module-identity create", "--primary-key"): KEYS_ONLY,
    ("iot hub module-identity create", "--secondary-key"): KEYS_ONLY,
    ("iot hub module-identity create", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub module-identity create", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub module-identity list", "--top"): "-1 is all, 0 an error",
    ("iot hub module-identity list", ""): "a device that is missing or disabled is named so, not as a missing right; "
    "so in every command of this group",
    ("iot hub module-identity update", ""): "the whole record is kept, not the sign-in alone",
    ("iot hub module-identity update", "--etag"): NO_RACE,
    ("iot hub module-identity renew-key", ""): MANY,
    ("iot hub module-identity renew-key", "--etag"): f"{NO_RACE}; refused with several modules",
    ("iot hub connection-string show", ""): "also of a local hub; a hub that cannot be shown is left out of the list "
    "with the reason, whatever it is; a policy that may not read messages is named with `--default-eventhub`",
    ("iot hub generate-sas-token", "--connection-string"): "beside another hub, device or policy it is refused, not "
    "silently preferred",
    ("iot hub generate-sas-token", "--duration"): "at least 1, or an error",
}
