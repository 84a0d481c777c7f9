// `node scripts/prometheus-rule.ts`: writes deploy/monitoring/rules.yaml once more, as the kind that the Prometheus Operator
// reads. kustomize cannot put a plain file into a member; a test compares the two.

import { readFileSync, writeFileSync } from 'node:fs'

const rules = readFileSync(new URL('../deploy/monitoring/rules.yaml', import.meta.url), 'utf8')
const groups = rules.slice(rules.indexOf('groups:'))
const indented = groups.replaceAll(/^(?=.)/gm, '  ')

writeFileSync(
  new URL('../deploy/kubernetes/components/monitoring/prometheus-rule.yaml', import.meta.url),
  `# Made by scripts/prometheus-rule.ts from deploy/monitoring/rules.yaml: change that file, and run it again.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: auth-movies
spec:
${indented}`,
)
