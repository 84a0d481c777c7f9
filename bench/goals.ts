import type { Step } from './flow.ts'
import { steps } from './flow.ts'
import type { Medians } from './measure.ts'

/** The most CPU that a step may need, in times its floor. */
const timesFloor: Readonly<Partial<Record<Step, number>>> = {
  start: 1.8,
  callback: 1.8,
  finish: 1.5,
  refresh: 1.5,
  me: 1.5,
}

/** How many times as many of a step the service does a second than a peer, at least. */
const timesPeer: readonly (readonly [step: Step, peer: string, times: number])[] = [
  ['login', 'better-auth', 6],
  ['login', 'Auth.js', 5],
  ['login', '@fastify/oauth2', 1.3],
  ['refresh', 'oidc-provider on PostgreSQL', 3],
  ['refresh', 'oidc-provider on Redis', 2],
]

/** The longest p99, in times p50. */
const timesMedian = 4

/** The rows of a table: what is wanted of the service, what is, and whether it is reached; only what was measured. */
export function goalsOfSteps(results: Readonly<Record<string, Medians>>): string[][] {
  const { ours = {}, floor = {} } = results
  const atMost = (name: string, is: number, wanted: number) =>
    row(name, is, `at most ${wanted}`, is <= wanted)
  return [
    ...steps.flatMap((step) => {
      const [own, least, wanted] = [ours[step]?.cpu, floor[step]?.cpu, timesFloor[step]]
      if (own === undefined || least === undefined || wanted === undefined) return []
      return [atMost(`${step}: CPU, in times its floor`, own / least, wanted)]
    }),
    ...timesPeer.flatMap(([step, peer, wanted]) => {
      const [own, other] = [ours[step]?.perSecond, results[peer]?.[step]?.perSecond]
      if (own === undefined || other === undefined) return []
      const is = own / other
      return [row(`${step}: a second, in times ${peer}`, is, `at least ${wanted}`, is >= wanted)]
    }),
    ...steps.flatMap((step) => {
      const sample = ours[step]
      return sample === undefined
        ? []
        : [atMost(`${step}: p99, in times p50`, sample.p99 / sample.p50, timesMedian)]
    }),
  ]
}

function row(name: string, is: number, wanted: string, reached: boolean): string[] {
  return [name, is.toFixed(2), wanted, reached ? 'reached' : 'not reached']
}
