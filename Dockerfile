# A local IoT Hub in a container: docker build -t iotjobs-local-hub .   How to use it: docs/how-to/containers.md
#
# BASE: an image with Python 3.11 or later as `python`, with pip and venv. A digest makes it the same one each time:
# --build-arg BASE=python@sha256:…
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/runtime.txt requirements/
COPY container/requirements.txt container/
RUN python -m venv --without-pip /opt/iotjobs \
    && python -m pip --python /opt/iotjobs/bin/python install --no-compile --only-binary :all: -r container/requirements.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY azext_iotjobs azext_iotjobs
# Of the time of no build: the wheel, and the compiled modules, are the same for the same sources.
ENV SOURCE_DATE_EPOCH=315532800
RUN python -m pip wheel --no-deps --wheel-dir dist . \
    && python -m pip --python /opt/iotjobs/bin/python install --no-compile --no-deps dist/*.whl \
    && /opt/iotjobs/bin/python -m compileall -qf --invalidation-mode unchecked-hash /opt/iotjobs/lib

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="iotjobs local hub" \
      org.opencontainers.image.description="An Azure IoT Hub for tests and development, without Azure" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/iotjobs /opt/iotjobs
COPY container/entrypoint.sh container/healthcheck.py /opt/iotjobs/bin/
# For everyone, as a hub may be run as any user: what it stores there is for its user alone, but for the CA's certificate.
RUN mkdir -m 1777 /data /ca
ENV PATH=/opt/iotjobs/bin:$PATH DATA_DIR=/data CA_FILE=/ca/ca.pem DNS_NAMES=iothub SEED_FILE=
USER 10001:10001
VOLUME ["/data", "/ca"]
EXPOSE 443 8883 5671
HEALTHCHECK --interval=3s --timeout=10s --start-period=60s --retries=3 CMD ["healthcheck.py"]
ENTRYPOINT ["entrypoint.sh"]
