import { setTimeout as sleep } from 'node:timers/promises'
import type { Amount, Medians, Subject } from './measure.ts'
import { measure, runStep } from './measure.ts'
import { startServers } from './servers.ts'
import type { SubjectPlan } from './subjects.ts'
import { floors, ours, peers, startSubject, without } from './subjects.ts'
import { expectNoHistory } from './switched-off.ts'

/** What `npm run bench` measures of the steps. */
export interface StepsOptions extends Amount {
  /** Also the service with each feature switched off. */
  readonly features: boolean
  readonly peers: boolean
  /** The names of the subjects, where not all are wanted. */
  readonly only?: readonly string[]
}

/** Measures each step of a login, refresh and profile, of the floors, the service and its peers. */
export async function measureSteps(options: StepsOptions): Promise<Readonly<Record<string, Medians>>> {
  const servers = await startServers()
  const subjects: Subject[] = []
  try {
    for (const plan of plansOf(options)) {
      const subject = await startSubject(plan, servers)
      subjects.push(subject)
      if (plan.env?.BENCH_WITHOUT !== 'history') continue
      // Before everything is measured in vain. Entries are sent some milliseconds after a login; what the service tried out at its
      // start is gone after a second.
      await runStep(subject, 'login', [], 32)
      await sleep(1_500)
      await expectNoHistory(subject.redisUrl)
    }
    return await measure(subjects, options, (round) =>
      console.error(round === 0 ? 'warmed up' : `round ${round} of ${options.rounds}`),
    )
  } finally {
    for (const { program } of subjects) await program.end()
    await servers.end()
  }
}

function plansOf({ features, peers: withPeers, only }: StepsOptions): SubjectPlan[] {
  const switchedOff = features ? (['log', 'metrics', 'history', 'limits'] as const) : []
  const plans = [...floors, ours, ...switchedOff.map(without), ...(withPeers ? peers : [])]
  return plans.filter(({ name }) => only?.includes(name) ?? true)
}
