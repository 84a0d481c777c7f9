"""Checks resources of Kubernetes strictly: RELEASE, then JSON of [{"schema": … or null, "resource": …}] on standard input."""

import json
import sys

import jsonschema
import kubernetes_validate

release = sys.argv[1]
faults = []
for entry in json.load(sys.stdin):
    resource = entry["resource"]
    name = f"{resource['kind']} {resource['metadata']['name']}"
    try:
        if entry["schema"] is None:
            kubernetes_validate.validate(resource, release, strict=True)
        else:
            jsonschema.validate(resource, entry["schema"])
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        faults.append(f"{name}: {error.message}")
if faults:
    sys.exit("\n".join(faults))
print("valid")
