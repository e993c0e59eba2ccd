"""The earlier name of `azext_iotjobs.localhub.testing`, for programs that import from here."""

from azext_iotjobs.localhub.testing.process import API_VERSION, LocalHub, LocalHubFailed, LocalHubRefused

__all__ = ["API_VERSION", "LocalHub", "LocalHubFailed", "LocalHubRefused"]
