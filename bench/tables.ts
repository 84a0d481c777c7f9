import type { Step } from './flow.ts'
import { steps } from './flow.ts'
import type { Medians, Sample } from './measure.ts'

/** The tables of a run, in Markdown: CPU, throughput and durations per subject (row) and step (column). */
export function tables(results: Readonly<Record<string, Medians>>): string {
  const floor = results.floor ?? {}
  return [
    table('CPU per request, µs (times the floor)', results, ({ cpu }, step) => {
      const least = floor[step]?.cpu
      return least === undefined
        ? String(Math.round(cpu))
        : `${Math.round(cpu)} (${(cpu / least).toFixed(2)})`
    }),
    table('Requests a second', results, ({ perSecond }) => String(Math.round(perSecond))),
    table('p50 / p99, ms', results, ({ p50, p99 }) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`),
  ].join('\n\n')
}

function table(
  title: string,
  results: Readonly<Record<string, Medians>>,
  cell: (sample: Sample, step: Step) => string,
): string {
  const rows = Object.entries(results).map(([name, medians]) => [
    name,
    ...steps.map((step) => {
      const sample = medians[step]
      return sample === undefined ? '' : cell(sample, step)
    }),
  ])
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line([title, ...steps]), line([':--', ...steps.map(() => '--:')]), ...rows.map(line)].join('\n')
}
