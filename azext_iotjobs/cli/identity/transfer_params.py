"""Options of the registry's export and import by the hub: containers, and how the hub signs in to them."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, extra, option


def container(which: str, purpose: str, short: str) -> Group:
    """A container of a job, by its URI or by names.

    which: in front of the options' names: "", "input-" or "output-".  purpose: what it is for.
    short: what short names begin with: "", "i" or "o".
    """
    dest = f"our_{which.replace('-', '_')}"
    return (
        extra(
            f"{dest}blob_container_uri",
            f"--{which}blob-container-uri --{short}bcu",
            f"URI of the container {purpose}, with a signature (SAS) unless --identity is given; or a file that holds "
            "it. Of a local hub: `containerUri` of `az iot local-hub show`.",
        ),
        extra(
            f"{dest}storage_account_name",
            f"--{which}storage-account --{short}sa",
            "Name of the storage account, in place of the URI. It is looked up in Azure, and a signature for one hour "
            "is made with its key, unless --identity is given.",
        ),
        extra(f"{dest}blob_container_name", f"--{which}blob-container --{short}bc", "Name of the container in it."),
    )


STORAGE_IDENTITY: Group = (
    extra(
        "our_identity",
        "--identity",
        "Identity with which the hub signs in to the storage account: [system] for its own, or the resource id of one "
        "that is assigned to it. A local hub has its own containers, and takes any.",
    ),
    extra(
        "our_storage_authentication_type",
        "--storage-authentication-type --sat",
        "Deprecated: `identity` is --identity [system], `key` is without it.",
        arg_type=get_enum_type(["identity", "key"]),
    ),
)

KEYS_TOO: Group = (
    option(
        "our_include_keys",
        "--include-keys --ik",
        "Export the keys of devices too.",
        arg_type=get_three_state_flag(),
    ),
)
