import t from 'tap'
import { createMetrics } from '../../src/http/metrics.ts'
import { anchors, readText } from '../docs/markdown.ts'
import { compress, readPanels, readRules } from './rule-files.ts'

// Read before the first test: tap ends a file that awaits something else between two tests.
const { text, alerts, records } = await readRules()
const panels = await readPanels()
const queries = [...alerts, ...records].map(({ expr }) => expr)

/** The series that an instance can show, by name. */
async function series(): Promise<Set<string>> {
  const { registry } = createMetrics()
  const metrics = await registry.getMetricsAsJSON()
  return new Set(
    metrics.flatMap(({ name, type }) =>
      String(type) === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  )
}

/** Names before a selector; functions and keywords are followed by something else. */
const named = (query: string) =>
  Array.from(query.matchAll(/([a-z_:]\w*(?::\w+)*)\{/gi), ([, name = '']) => name)

t.test('every alert has a page in both languages that its annotations lead to', async (t) => {
  t.ok(alerts.length >= 10, `${alerts.length} alerts`)
  const pages = new Map<string, Set<string>>()
  for (const language of ['en', 'ru']) {
    const path = `docs/${language}/runbooks.md`
    pages.set(path, anchors(await readText(path)))
  }
  for (const { alert, labels, annotations } of alerts) {
    t.match(labels.severity, /^(critical|warning)$/, alert)
    t.match(annotations.summary, /\w/, alert)
    for (const [annotation, language] of [
      ['runbook_url', 'en'],
      ['runbook_url_ru', 'ru'],
    ] as const) {
      const [path = '', anchor = ''] = (annotations[annotation] ?? '').split('#')
      t.equal(path, `docs/${language}/runbooks.md`, alert)
      t.ok(pages.get(path)?.has(anchor), `${alert}: ${path}#${anchor}`)
      t.equal(anchor, alert.toLowerCase())
    }
  }
})

t.test('no page is about an alert that does not exist', async (t) => {
  const known = new Set(alerts.map(({ alert }) => alert))
  for (const language of ['en', 'ru'])
    for (const [, heading = ''] of (await readText(`docs/${language}/runbooks.md`)).matchAll(
      /^## (AuthMovies\w+)$/gm,
    ))
      t.ok(known.has(heading), heading)
})

t.test('rules and dashboard name only series that an instance has', async (t) => {
  const known = await series()
  const recorded = new Set(records.map(({ record }) => record))
  // Made by Prometheus itself.
  const builtIn = new Set(['up', 'ALERTS'])
  const all = [...queries, ...panels.flatMap((panel) => panel.queries)]
  const names = new Set(all.flatMap(named))
  t.ok(names.size >= 18, `${names.size} names`)
  for (const name of names) t.ok(known.has(name) || recorded.has(name) || builtIn.has(name), name)
  for (const { record } of records)
    t.ok(
      queries.some((query) => query.includes(record)),
      `${record} is used`,
    )
})

t.test('every query looks at this job alone, as other services have metrics of the same names', async (t) => {
  for (const query of [...queries, ...panels.flatMap((panel) => panel.queries)])
    for (const [selector] of query.matchAll(/[a-z_]\w*\{[^}]*\}/gi))
      if (!selector.startsWith('ALERTS')) t.match(selector, '{job="auth-movies"', selector)
})

t.test(
  'the dashboard begins with three gauges of the service level, and has a row per provider',
  async (t) => {
    const [first, ...others] = panels
    t.equal(first?.type, 'row')
    t.strictSame(
      others.slice(0, 3).map(({ type, title }) => `${type} ${title}`),
      ['gauge Availability', 'gauge Under 250 ms', 'gauge Server errors'],
    )
    t.strictSame(
      panels.flatMap(({ repeat }) => repeat ?? []),
      ['provider'],
    )
    for (const { title, type, queries: own } of panels) t.equal(own.length === 0, type === 'row', title)
  },
)

t.test('every duration can be shortened for the test on a real Prometheus', async (t) => {
  t.match(compress('sum(rate(x[5m])) for: 15m'), 'sum(rate(x[4s])) for: 5s')
  t.notMatch(compress(text), /\[\d+[mhd]\]|for: \d+[mhd]/)
  t.throws(() => compress('rate(x[7m])'), /7m/)
})
