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

/**
 * The rows of a table: what is wanted of the service, what is, what the floor gives that does nothing else, and whether the goal is
 * reached; only what was measured.
 */
export function goalsOfSteps(results: Readonly<Record<string, Medians>>): string[][] {
  const { ours = {}, floor = {} } = results
  const atMost = (name: string, is: number, least: number, wanted: number) =>
    row(name, [is, least], `at most ${wanted}`, is <= wanted)
  return [
    ...steps.flatMap((step) => {
      const [own, least, wanted] = [ours[step]?.cpu, floor[step]?.cpu, timesFloor[step]]
      if (own === undefined || least === undefined || wanted === undefined) return []
      return [atMost(`${step}: CPU, in times its floor`, own / least, 1, wanted)]
    }),
    ...timesPeer.flatMap(([step, peer, wanted]) => {
      const [own, least, other] = [ours, floor, results[peer]].map((medians) => medians?.[step]?.perSecond)
      if (own === undefined || least === undefined || other === undefined) return []
      const is = own / other
      return [
        row(`${step}: a second, in times ${peer}`, [is, least / other], `at least ${wanted}`, is >= wanted),
      ]
    }),
    ...steps.flatMap((step) => {
      const [sample, least] = [ours[step], floor[step]]
      if (sample === undefined || least === undefined) return []
      return [
        atMost(`${step}: p99, in times p50`, sample.p99 / sample.p50, least.p99 / least.p50, timesMedian),
      ]
    }),
  ]
}

function row(name: string, values: readonly number[], wanted: string, reached: boolean): string[] {
  return [name, ...values.map((value) => value.toFixed(2)), wanted, reached ? 'reached' : 'not reached']
}
