"""What docs/reference/compatibility.md cannot find by comparing: the hand-written notes, by command and option.

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

# Commands of azure-iot that are not here, and why.
EDGE = "workloads of IoT Edge are out of scope"
CONFIGURATION = (
    "a configuration acts permanently and has no results; a job changes twins once and reports results: "
    "`az iot hub job create`, `az iot hub fleet-job create`"
)
DIGITAL_TWIN = "the view that IoT Plug and Play has of a twin"
TRACING = "is a desired property: `az iot hub device-twin"
STATE = "copies hubs with their Azure resources; for devices and their twins use `az iot hub device-identity export`"
ABSENT_COMMANDS = {
    "iot device registration create": "it belongs to the Device Provisioning Service, another service",
    "iot device upload-file": "uploads a file to Azure Storage as a device does; a local hub takes the uploads of "
    "Microsoft's device SDKs",
    "iot edge deployment create": EDGE,
    "iot edge deployment delete": EDGE,
    "iot edge deployment list": EDGE,
    "iot edge deployment show": EDGE,
    "iot edge deployment show-metric": EDGE,
    "iot edge deployment update": EDGE,
    "iot edge devices create": f"{EDGE}; for one edge device use `az iot hub device-identity create --edge-enabled`, "
    "for its parent `az iot hub device-identity parent set`",
    "iot hub configuration create": CONFIGURATION,
    "iot hub configuration delete": CONFIGURATION,
    "iot hub configuration list": CONFIGURATION,
    "iot hub configuration show": CONFIGURATION,
    "iot hub configuration show-metric": CONFIGURATION,
    "iot hub configuration update": CONFIGURATION,
    "iot hub devicestream show": "device streams are a preview in few regions; a local hub does not have them",
    "iot hub digital-twin invoke-command": f"{DIGITAL_TWIN}: `az iot hub invoke-device-method`, where a component's "
    "command is the method `component*command`",
    "iot hub digital-twin show": f"{DIGITAL_TWIN}: `az iot hub device-twin show`",
    "iot hub digital-twin update": f"{DIGITAL_TWIN}: `az iot hub device-twin update`",
    "iot hub distributed-tracing show": f"{TRACING} show`, `azureiot*com^dtracing^1`",
    "iot hub distributed-tracing update": f"{TRACING} update --desired "
    '\'{"azureiot*com^dtracing^1": {"sampling_mode": 1, "sampling_rate": 50}}\'`',
    "iot hub state export": STATE,
    "iot hub state import": STATE,
    "iot hub state migrate": STATE,
}

# Options that are missing, or accepted and always refused, and why.
ABSENT_OPTIONS: dict[tuple[str, str], str] = {}

# What differs in every command.
EVERYWHERE = (
    "errors end with az's exit codes, 1, or 3 for something that does not exist, or with those of "
    "[exit-codes.md](exit-codes.md); where a background thread fails, azure-iot ends with 0, and these commands with "
    "an error",
    "stdout has only the result, or what a simulated device receives; progress, hints and warnings go to stderr",
    "`--debug` shows each request and response with keys, signatures and tokens masked; a member of tags, properties "
    "and payloads that is called `key` is shown, unless it has the form of a hub's key",
)

# What differs from azure-iot on purpose. (command, "") is about the command as a whole.
NO_RACE = "without it, the etag that was read is used, so that a change made meanwhile is not overwritten"
MANY = (
    "for several, the exit code is 4 when some were not renewed, and 0 as in azure-iot with `--exit-zero`; the hub's "
    "reasons go to stderr, and only the result to stdout; a single one without keys is an error, as in azure-iot, and "
    "ends with 0 with `--exit-zero`"
)
KEYS_ONLY = "refused, not ignored, with an X.509 method"
THUMBPRINTS_ONLY = "refused, not ignored, without `--auth-method x509_thumbprint`"
VALID_DAYS = (
    "an error without `--output-dir`, because the key would be lost; refused without `--auth-method x509_thumbprint`, "
    "where azure-iot makes a certificate that nothing uses"
)
SENT_CLEAN = (
    "a misspelled member is refused before anything is removed; what only the hub writes is ignored, so that the "
    "output of `show` can be sent back"
)
PAIRS = (
    "a part that is not key=value, a repeated key and an empty list are errors, and not ignored; spaces around parts "
    "do not count; characters beyond ASCII are percent-encoded, bytes that are not UTF-8 are refused"
)
DTMI = "a value that does not fit the grammar of a DTMI is refused before anything is sent"
OWN_KEY = "refused together with a certificate, not silently preferred"
ONE_CONTAINER = (
    "a URI without a signature is refused before anything is sent, unless `--identity` is given, as is a URI beside "
    "a storage account; no text shows the URI; an account is looked up in the subscription in use, and its key is "
    "read by Resource Manager, not by `az storage`; `--storage-authentication-type` is in the help; a local hub "
    "reads and writes its own container alone, see `containerUri` of `az iot local-hub show`"
)
FALSY = "`0`, `{}`, `false`, `[]` and `null` are values, too"
FIXED = {
    ("iot hub monitor-events", ""): (
        "stdout has only events, one a line where it is no terminal; the first and the last line of azure-iot go to "
        "stderr; `--query` applies to each event, and YAML documents have `---` before them. Exit code 7 when nothing "
        "came, or not enough, before the time was over; with `--exit-zero` it is 0, as in azure-iot. After a lost "
        "connection the command goes on behind the last event that it showed; without `--enqueued-time` it begins "
        "behind the last event of each partition, and not at this machine's time. It reads a local hub, too"
    ),
    ("iot hub monitor-events", "--timeout"): (
        "seconds from the beginning, also while events come, as azure-iot does since 0.28, whose help still speaks of "
        "silence"
    ),
    ("iot hub monitor-events", "--login"): "also the string of a local hub's endpoint, at any port",
    ("iot hub monitor-events", "--device-query"): (
        "a query that finds no device is an error, and not a wait for events of none"
    ),
    ("iot hub monitor-events", "--message-count"): "0 is an error",
    ("iot hub monitor-feedback", ""): (
        "stdout has only records, YAML documents with `---` before them, or as `-o` has it. What is shown is removed "
        "from the hub, and what filters leave out stays there. A record of another device does not hide those that "
        "came with it; a lost connection is an error"
    ),
    ("iot hub monitor-feedback", "--wait-on-msg"): "exit code 4 when the device did not complete the message; with "
    "`--exit-zero` it is 0, as in azure-iot",
    ("iot device c2d-message send", ""): (
        "a message that the hub refuses is an error; with `--wait`, exit code 4 when the device did not complete it, "
        "and 0 as in azure-iot with `--exit-zero`"
    ),
    ("iot device c2d-message send", "--data-file-path"): "a file that is not text in UTF-8 is an error that names the "
    "content type for it; with a content type of JSON, the file has to be JSON, too",
    ("iot device c2d-message send", "--expiry-time-utc"): "also an ISO 8601 instant",
    ("iot device c2d-message send", "--properties"): (
        "a part that is not key=value, a repeated key and an empty list are errors, and not ignored"
    ),
    ("iot hub job create", ""): "exit codes tell the outcome of the job, see [exit-codes.md](exit-codes.md); "
    "with `--exit-zero` it is 0, as in azure-iot; a missing option is refused before anything is sent",
    ("iot hub job create", "--method-payload"): "optional: null is sent",
    ("iot hub job create", "--query-condition"): "an empty one is an error, not all devices",
    ("iot hub job create", "--poll-duration"): "0 waits until the job's own deadline",
    ("iot hub invoke-device-method", ""): "exit code 4 when the device failed, see [exit-codes.md](exit-codes.md)",
    ("iot hub invoke-device-method", "--timeout"): "5 to 300 seconds, as the hub allows",
    ("iot hub invoke-module-method", ""): "exit code 4 when the module failed, see [exit-codes.md](exit-codes.md)",
    ("iot hub invoke-module-method", "--timeout"): "5 to 300 seconds, as the hub allows",
    ("iot hub job create", "--twin-patch"): "members that only the hub writes, such as `deviceId`, are left out with a "
    "warning (the hub ignores them; they do not select devices); `properties.reported` and members that no twin has "
    "are errors",
    ("iot device simulate", ""): "MQTT uses port 8883; with `--websocket` it uses port 443, as in azure-iot; "
    "`timestamp` in messages has its offset, `+00:00`; over HTTPS the first message that is refused ends the "
    "simulation with an error",
    ("iot device simulate", "--properties"): f"{PAIRS}. Over HTTPS the names of the hub's headers (`iothub-…`, "
    "`content-type`, `content-encoding`) are sent as those headers, as in azure-iot, and so are `$.mid` and the like; "
    "any other name is an application property, not a header that the hub would drop; a value that no header can have "
    "is refused",
    ("iot device simulate", "--model-id"): DTMI,
    ("iot device simulate", "--symmetric-key"): OWN_KEY,
    ("iot device send-d2c-message", ""): "MQTT uses port 8883; with `--websocket` it uses port 443, as in azure-iot; "
    "the command ends when the hub has acknowledged every message; messages that wait for the device are left alone, "
    "not printed and completed; the number of messages sent goes to stderr",
    ("iot device send-d2c-message", "--properties"): PAIRS,
    ("iot device send-d2c-message", "--model-id"): DTMI,
    ("iot device send-d2c-message", "--symmetric-key"): OWN_KEY,
    ("iot device send-d2c-message", "--msg-count"): "0 is an error",
    ("iot device send-d2c-message", "--data-file-path"): "the file's bytes are sent as they are, whatever its content "
    "type; `.json` and `.txt` set content type and encoding, unless --properties does; more than 256 KB is refused",
    ("iot device c2d-message receive", "--lock-timeout"): "5 to 300 seconds, as the hub allows",
    ("iot device simulate", "--device-id"): "optional where other options select many devices",
    ("iot device simulate", "--certificate-file-path"): "for many devices: a folder",
    ("iot device simulate", "--method-response-code"): "0 is a value, too",
    ("iot device simulate", "--method-response-payload"): FALSY,
    ("iot device simulate", "--init-reported-properties"): FALSY,
    ("iot hub device-identity create", "--primary-key"): KEYS_ONLY,
    ("iot hub device-identity create", "--secondary-key"): KEYS_ONLY,
    ("iot hub device-identity create", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--status-reason"): (
        "more than 128 characters are refused before anything is sent"
    ),
    ("iot hub device-identity create", "--valid-days"): VALID_DAYS,
    ("iot hub device-identity update", ""): "an update without changes is an error",
    ("iot hub device-identity update", "--auth-method"): "`shared_private_key` alone keeps the keys of a device that "
    "has some; as in azure-iot, it takes both keys or none, and `x509_thumbprint` takes a thumbprint",
    ("iot hub device-identity update", "--primary-key"): KEYS_ONLY,
    ("iot hub device-identity update", "--secondary-key"): KEYS_ONLY,
    ("iot hub device-identity update", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity update", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub device-identity create", "--output-dir"): (
        "files are never overwritten; only their owner can read the key"
    ),
    ("iot hub device-identity update", "--etag"): NO_RACE,
    ("iot hub device-twin update", "--set"): "a change that a service cannot make (reported, status) is refused",
    ("iot hub device-identity renew-key", ""): MANY,
    ("iot hub device-identity renew-key", "--etag"): f"{NO_RACE}; refused with several devices",
    ("iot hub device-identity renew-key", "--device-id"): "a device that is given twice is renewed once; `*` takes "
    "one query for all devices and one for all modules",
    ("iot hub device-identity parent show", ""): (
        "exit code 3 when the device has no parent, or the parent no longer exists"
    ),
    ("iot hub device-identity parent set", ""): (
        "a parent that the device has already is not an error; a device cannot be its own parent"
    ),
    ("iot hub device-identity children add", ""): "a device that is a child already is left as it is; after an error, "
    "the changed devices are listed",
    ("iot hub device-identity children remove", ""): (
        "`--child-list` and `--remove-all` together are refused; `--remove-all` without any child is not an error"
    ),
    ("iot hub device-identity children list", ""): "ids that contain quotes are found, too",
    ("iot hub device-identity export", ""): ONE_CONTAINER,
    ("iot hub device-identity import", ""): ONE_CONTAINER,
    ("iot edge set-modules", ""): (
        "of `--content`, the form is checked, not each member of $edgeAgent and $edgeHub: the "
        "hub does that; an empty one is an error, as it would remove nothing"
    ),
    ("iot edge export-modules", ""): "registrations and twins are read, not a query, which may be behind",
    ("iot hub device-twin replace", "--json"): SENT_CLEAN,
    ("iot hub module-twin replace", "--json"): SENT_CLEAN,
    ("iot hub module-twin update", "--set"): "a change that a service cannot make (reported, status) is refused",
    ("iot hub module-identity create", "--output-dir"): "files are never overwritten; their names include the "
    "device's id, and only their owner can read the key",
    ("iot hub module-identity create", "--valid-days"): VALID_DAYS,
    ("iot hub module-identity create", "--primary-key"): KEYS_ONLY,
    ("iot hub module-identity create", "--secondary-key"): KEYS_ONLY,
    ("iot hub module-identity create", "--primary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub module-identity create", "--secondary-thumbprint"): THUMBPRINTS_ONLY,
    ("iot hub module-identity list", "--top"): "-1 means all, 0 is an error",
    ("iot hub module-identity list", ""): "a missing or disabled device is reported as such, not as a missing right; "
    "so in every command of this group",
    ("iot hub module-identity update", ""): "the whole registration is kept, not only the authentication",
    ("iot hub module-identity update", "--etag"): NO_RACE,
    ("iot hub module-identity renew-key", ""): MANY,
    ("iot hub module-identity renew-key", "--etag"): f"{NO_RACE}; refused with several modules",
    ("iot hub connection-string show", ""): "works for a local hub, too; a hub that cannot be shown is left out of "
    "the list, and named with the reason; with `--default-eventhub`, a policy that may not read messages is an error "
    "that names it",
    ("iot hub generate-sas-token", "--connection-string"): "refused together with another hub, device or policy, not "
    "silently preferred",
    ("iot hub generate-sas-token", "--duration"): "less than 1 is an error",
}
