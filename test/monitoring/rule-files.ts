import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import { readText } from '../docs/markdown.ts'

const Alert = Type.Object({
  alert: Type.String(),
  expr: Type.String(),
  for: Type.Optional(Type.String()),
  labels: Type.Record(Type.String(), Type.String()),
  annotations: Type.Record(Type.String(), Type.String()),
})

const Recording = Type.Object({ record: Type.String(), expr: Type.String() })

const Rules = Type.Object({
  groups: Type.Array(Type.Object({ name: Type.String(), rules: Type.Array(Type.Union([Alert, Recording])) })),
})

const Target = Type.Object({ expr: Type.String() })

const Panel = Type.Object({
  id: Type.Integer(),
  type: Type.String(),
  title: Type.String(),
  repeat: Type.Optional(Type.String()),
  targets: Type.Optional(Type.Array(Target)),
})

const Dashboard = Type.Object({ uid: Type.String(), title: Type.String(), panels: Type.Array(Panel) })

/** The text of the rules of deploy/monitoring, and what is in them. */
export async function readRules() {
  const text = await readText('deploy/monitoring/rules.yaml')
  const rules = Value.Parse(Rules, parse(text)).groups.flatMap((group) => group.rules)
  return {
    text,
    alerts: rules.flatMap((rule) => ('alert' in rule ? [rule] : [])),
    records: rules.flatMap((rule) => ('record' in rule ? [rule] : [])),
  }
}

/** The panels of the dashboard in deploy/monitoring, with their queries; rows have none. */
export async function readPanels() {
  const { panels } = Value.Parse(Dashboard, JSON.parse(await readText('deploy/monitoring/dashboard.json')))
  return panels.map(({ title, type, repeat, targets = [] }) => ({
    title,
    type,
    repeat,
    queries: targets.map(({ expr }) => expr),
  }))
}

/** How a test lives through hours: each duration of the rules and the dashboard, and what it becomes. */
const compressed: Readonly<Record<string, string>> = {
  '1m': '2s',
  '2m': '2s',
  '5m': '4s',
  '10m': '5s',
  '15m': '5s',
  '30m': '8s',
  '1h': '8s',
  '2h': '8s',
  '3h': '10s',
  '6h': '10s',
}

/**
 * Shortens every duration of PromQL and of `for`; thresholds stay.
 * @throws {Error} on a duration that has no short one
 */
export function compress(text: string): string {
  return text.replaceAll(/(?<=\[|\bfor: )(\d+[smhd])\b/g, (long) => {
    const short = compressed[long]
    if (short === undefined)
      throw new Error(`${long} has no short duration in test/monitoring/rule-files.ts.`)
    return short
  })
}
