import type { Language } from '../../docs/.vitepress/navigation.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import type { Say } from './markdown.ts'
import { head, table } from './markdown.ts'

const words = {
  en: {
    title: 'Metrics',
    intro:
      'What `/metrics` on the management port shows. No label ever holds a site, a user or an address. How to scrape them, alerts, a dashboard and traces: [monitoring](../monitoring.md).',
    own: 'Of the service',
    columns: ['Metric', 'Type', 'Labels', 'What it tells'],
    buckets: 'The buckets of the histograms, in seconds',
    others: 'Of the process',
    ordinary:
      'The usual ones of a process and of Node.js, by prom-client: `process_…` and `nodejs_…`, among them `nodejs_eventloop_lag_p99_seconds` and `nodejs_gc_duration_seconds`.',
  },
  ru: {
    title: 'Метрики',
    intro:
      'Что отдаёт `/metrics` на служебном порту. Среди меток никогда нет сайта, пользователя или адреса. Как их опрашивать, оповещения, панель и трассировка: [наблюдение](../monitoring.md).',
    own: 'Метрики сервиса',
    columns: ['Метрика', 'Тип', 'Метки', 'Что показывает'],
    buckets: 'Границы интервалов гистограмм, в секундах',
    others: 'Метрики процесса',
    ordinary:
      'Обычные метрики процесса и Node.js из prom-client: `process_…` и `nodejs_…`, среди них `nodejs_eventloop_lag_p99_seconds` и `nodejs_gc_duration_seconds`.',
  },
} as const

/** The page of every metric, with type, labels and meaning. */
export function metricsPage(language: Language, say: Say): string {
  const said = words[language]
  const { registry, ...own } = createMetrics()
  const rows = Object.values<object>(own).map((metric) => [
    `\`${text(metric, 'name')}\``,
    text(metric, 'type'),
    names(metric, 'labelNames')
      .map((label) => `\`${label}\``)
      .join(', '),
    say(text(metric, 'help')),
  ])
  const buckets = names(own.serverDuration, 'upperBounds').join(', ')
  registry.clear()
  return [
    head(language, 'metrics', said.title, said.intro),
    `## ${said.own}`,
    table(said.columns, rows),
    `${said.buckets}: ${buckets}.`,
    `## ${said.others}`,
    said.ordinary,
  ].join('\n\n')
}

// The client library keeps what it was given in members that its types do not have.
const text = (metric: object, member: string) => String(Reflect.get(metric, member))
const names = (metric: object, member: string): string[] =>
  [Reflect.get(metric, member) ?? []].flat().map(String)
