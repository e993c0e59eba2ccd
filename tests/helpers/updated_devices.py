"""Simulated devices that accept every update; then one reports the new version, one that it failed, one nothing.

Tags decide: `kind` is failing, silent, or there is none.
"""

RULES = """
reported: {fw: {version: "1", state: idle}}
methods:
  update:
    status: 202
    payload: {accepted: true}
    then:
      - report: {fw: {state: busy}}
      - wait: 1s
      - report: {fw: {version: "${request.version}", state: idle}}
  refuse: {status: 501, payload: {why: never}}
groups:
  failing:
    tags: {kind: failing}
    methods: {update: {then: [{wait: 500ms}, {report: {fw: {state: failed}}}]}}
  silent:
    tags: {kind: silent}
    methods: {update: {then: []}}
"""
FAILED = ("--verify-failed", "properties.reported.fw.state = 'failed'")
