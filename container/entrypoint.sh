#!/bin/sh
# Becomes the local hub, so that this is the process that a container engine ends with SIGTERM.
#
# Arguments: more options of iotjobs-local-hub; the last one counts of an option that is given twice.
# DATA_DIR: folder of the hub's data, and of what the health check reads.  CA_FILE: where everyone finds the CA's
# certificate.  DNS_NAMES: names by which clients reach the hub, the first one in its connection strings.
# SEED_FILE: devices that it begins with; empty: none.
set -euf

names=
for name in $DNS_NAMES; do
    names="$names --dns-name $name"
done
# shellcheck disable=SC2086 # the names are options of their own
set -- --bind 0.0.0.0 $names --https-port 443 --mqtt-port 8883 --amqp-port 5671 --data-dir "$DATA_DIR/hub" \
    --ready-file "$DATA_DIR/ready.json" --ca-file "$CA_FILE" ${SEED_FILE:+--seed "$SEED_FILE"} "$@"
exec iotjobs-local-hub "$@"
