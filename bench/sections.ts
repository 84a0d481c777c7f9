import { share } from './balance.ts'
import type { Step } from './flow.ts'
import { steps } from './flow.ts'
import { goalsOfSteps } from './goals.ts'
import type { Sample } from './measure.ts'
import { kindNames } from './profile.ts'
import type { Measured, Parts } from './results.ts'
import { populations } from './scale.ts'
import { table, whole } from './tables.ts'

/** How the results of each part are told, in Markdown. */
export const sections: { readonly [Name in keyof Parts]: (measured: Measured<Parts[Name]>) => string } = {
  steps(measured) {
    const { results } = measured
    const floor = results.floor ?? {}
    const rows = (cell: (sample: Sample, step: Step) => string) =>
      Object.entries(results).map(([name, medians]) => [
        name,
        ...steps.map((step) => {
          const sample = medians[step]
          return sample === undefined ? '' : cell(sample, step)
        }),
      ])
    const cpu = rows((sample, step) => {
      const least = floor[step]?.cpu
      return `${whole(sample.cpu)}${least === undefined ? '' : ` (${(sample.cpu / least).toFixed(1)})`}`
    })
    const perSecond = rows((sample) => whole(sample.perSecond))
    const times = rows(({ p50, p99 }) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`)
    const goals = goalsOfSteps(results)
    return [
      origin(measured),
      table(['CPU per request, µs (times the floor)', ...steps], cpu),
      table(['Requests a second', ...steps], perSecond),
      table(['p50 / p99, ms', ...steps], times),
      ...(goals.length > 0 ? [table(['Goal', 'is', 'the floor itself', 'wanted', 'result'], goals)] : []),
    ].join('\n\n')
  },

  profile(measured) {
    const { floor, ours } = measured.results
    const cell = (of: (kind: (typeof kindNames)[number], step: Step) => readonly (number | undefined)[]) =>
      kindNames.map((kind) => [
        kind,
        ...steps.map((step) => {
          const [own = 0, least = 0] = of(kind, step)
          return `${whole(own)} / ${whole(least)}`
        }),
      ])
    const sum = (times: Readonly<Partial<Record<string, number>>> = {}) =>
      Object.values(times).reduce<number>((all, time) => all + (time ?? 0), 0)
    return [
      origin(measured),
      table(
        ['CPU per request, µs: ours / floor', ...steps],
        [
          ...cell((kind, step) => [ours[step]?.[kind], floor[step]?.[kind]]),
          ['together', ...steps.map((step) => `${whole(sum(ours[step]))} / ${whole(sum(floor[step]))}`)],
        ],
      ),
    ].join('\n\n')
  },

  scale(measured) {
    const { small, large } = measured.results
    const names = ['login', 'refresh', 'me'] as const
    const row = (name: string, of: typeof small) => [
      name,
      ...names.map(
        (step) => `${whole(of[step].perSecond)} · ${whole(of[step].cpu)} · ${whole(of[step].postgresCpu)}`,
      ),
    ]
    const ratio = (step: (typeof names)[number]) =>
      (['perSecond', 'cpu', 'postgresCpu'] as const)
        .map((member) => (large[step][member] / small[step][member]).toFixed(2))
        .join(' · ')
    const told = ({ users, sessions }: { users: number; sessions: number }) =>
      `${whole(users)} people, ${whole(sessions)} sessions`
    return [
      origin(measured),
      table(
        ['Requests a second · CPU of the service · of PostgreSQL, µs', ...names],
        [
          row(told(populations.small), small),
          row(told(populations.large), large),
          ['ratio (wanted: at least 0.85 · at most 1.10 · at most 1.50)', ...names.map(ratio)],
        ],
      ),
    ].join('\n\n')
  },

  memory(measured) {
    const rows = Object.entries(measured.results).map(([logins, mebibytes]) => [
      whole(Number(logins)),
      String(mebibytes),
    ])
    const title = 'MiB (wanted: at most 300 after 10,000, then flat)'
    return `${origin(measured)}\n\n${table(['Logins', title], rows)}`
  },

  start: (measured) =>
    `${origin(measured)}\n\nFrom the start of the process to its first answered request, on servers that are there: ${whole(measured.results)} ms (wanted: less than 1,500).`,

  balance(measured) {
    const { one, two } = measured.results
    const row = (name: string, { login, refresh }: typeof one) => [name, whole(login), whole(refresh)]
    const ratio = (step: 'login' | 'refresh') => (two[step] / one[step]).toFixed(2)
    return [
      origin(measured),
      table(
        [`A second, each process on ${share * 100} % of a core`, 'logins', 'refreshes'],
        [
          row('one process', one),
          row('two processes', two),
          ['ratio (wanted: at least 1.8)', ratio('login'), ratio('refresh')],
        ],
      ),
    ].join('\n\n')
  },
}

function origin({ at, commit, machine }: Measured<unknown>): string {
  return `Measured on ${at} at ${commit}: ${machine}.`
}
