"""Build the wheel that `az extension add --source` installs.

azure-cli-core, knack and requests are az's own: they are not named here, or pip would put second copies into the
extension's folder. What is named is pure Python or is imported by the local hub alone (docs/dependencies.md).
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'VERSION = "([^"]+)"', (HERE / "azext_iotjobs" / "_version.py").read_text(encoding="utf-8"))[1]

setup(
    name="iotjobs",  # sorts after "azure-iot": where both are installed, the later name answers
    version=VERSION,
    description="Azure IoT Hub device fleets from the Azure CLI: jobs, methods, a simulator and a local hub.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["azext_iotjobs", "azext_iotjobs.*"]),
    package_data={
        "azext_iotjobs": ["azext_metadata.json", "py.typed"],
        "azext_iotjobs.localhub.query": ["grammar.lark"],
        "azext_iotjobs.simulator": ["ready_made/*.yaml"],
    },
    install_requires=["paho-mqtt>=2.1,<3", "aiohttp>=3.14,<4", "lark>=1.1.9,<2"],
    # For environments without az, which brings requests, cryptography and pyopenssl.
    extras_require={
        "sdk": ["requests>=2.31"],
        "testing": ["cryptography>=42", "pyopenssl>=24", "pytest>=7"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3",
    ],
)
