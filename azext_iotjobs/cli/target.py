"""The hub arguments -> HubTarget and credential -> HubClient.

What was typed wins; the environment is asked only when nothing was. Two that name different hubs are an error.
"""

from knack.log import get_logger

logger = get_logger(__name__)

ENVIRONMENT_VARIABLE = "IOTJOBS_CONNECTION_STRING"
HOW_TO_NAME_A_HUB = (
    "Give --login with the hub's connection string, -n localhost for a running local hub, or set "
    f"{ENVIRONMENT_VARIABLE}."
)
