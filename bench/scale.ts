import { randomInt } from 'node:crypto'
import { createSigningKeys } from '../src/keys/ring.ts'
import { createLog } from '../src/log.ts'
import { openDatabase } from '../src/storage/postgres.ts'
import { issueTokenPair } from '../src/tokens/token-pair.ts'
import { benchConfig } from './config.ts'
import type { Step, Ticket } from './flow.ts'
import { serviceFlow } from './flow.ts'
import type { Sample, Subject } from './measure.ts'
import { median, runStep } from './measure.ts'
import type { Population } from './populate.ts'
import { personOf, populate, sessionIdOf, userIdOf } from './populate.ts'
import { cpuOfDatabase } from './postgres-cpu.ts'
import { startProgram } from './program.ts'
import type { Environment } from './servers.ts'
import { startServers } from './servers.ts'

/** Requests of each step in a round. */
const counts = { login: 1_000, refresh: 1_500, me: 3_000 } as const satisfies Partial<Record<Step, number>>
export type ScaledStep = keyof typeof counts

/** A step with a number of people and sessions in the database. */
export interface ScaledSample extends Pick<Sample, 'perSecond' | 'cpu'> {
  /** Microseconds of CPU that PostgreSQL's processes for this database used per request. */
  readonly postgresCpu: number
}

/** Medians by step, with few and with many rows. */
export type ScaleResults = Readonly<Record<'small' | 'large', Readonly<Record<ScaledStep, ScaledSample>>>>

/** How many rows there are. */
export const populations = {
  small: { users: 1_000, sessions: 5_000 },
  large: { users: 1_000_000, sessions: 5_000_000 },
} as const satisfies Record<string, Population>

/**
 * Measures logins of people who exist, and refreshes and profiles of sessions that were opened long ago, all chosen at
 * random, with few and with many rows: two databases of one server, two processes, in turns.
 */
export async function measureScale({ rounds }: { rounds: number }): Promise<ScaleResults> {
  const servers = await startServers()
  try {
    const small = await startPopulated('small', await servers.environment())
    const large = await startPopulated('large', await servers.environment())
    const samples = new Map<string, ScaledSample[]>()
    for (let round = 0; round <= rounds; round++) {
      for (const step of ['login', 'refresh', 'me'] as const)
        for (const one of round % 2 === 0 ? [small, large] : [large, small]) {
          const key = `${one.subject.name} ${step}`
          const sample = await one.run(step)
          if (round > 0) samples.set(key, [...(samples.get(key) ?? []), sample])
        }
      console.error(round === 0 ? 'warmed up' : `round ${round} of ${rounds}`)
    }
    await Promise.all([small.end(), large.end()])
    const of = (name: string) => {
      const ofStep = (step: ScaledStep) => medianOf(samples.get(`${name} ${step}`) ?? [])
      return { login: ofStep('login'), refresh: ofStep('refresh'), me: ofStep('me') }
    }
    return { small: of('small'), large: of('large') }
  } finally {
    await servers.end()
  }
}

async function startPopulated(name: keyof typeof populations, environment: Environment) {
  const population = populations[name]
  const { BENCH_DATABASE_URL: url, BENCH_SECRET_KEY: secretKey, BENCH_SITE_ID: siteId } = environment
  const config = benchConfig(environment.BENCH_PROVIDER_URL)
  const database = openDatabase({ url, poolMax: 1 })
  const secretKeys = [Buffer.from(secretKey, 'base64')]
  const keys = await createSigningKeys({ ...config, database, secretKeys, log: createLog('silent').log })
  const refreshKid = keys.active('refresh').kid
  console.error(`${population.sessions} sessions of ${population.users} people …`)
  await populate(url, { ...population, siteId, refreshKid })

  const program = await startProgram({ script: 'service.ts', env: environment })
  const flow = serviceFlow(() => personOf(randomInt(population.users)))
  const subject: Subject = { name, program, flow }
  const generations = new Map<number, number>()
  /** The tokens of a session that nobody has used in this round. */
  const ticketOf = (session: number): Ticket => {
    const generation = generations.get(session) ?? 0
    const { access_token, refresh_token } = issueTokenPair(keys, {
      sessionId: sessionIdOf(session),
      userId: userIdOf(session % population.users),
      siteId,
      generation,
      expiresAt: new Date(Date.now() + 86_400_000),
      refreshKid,
    })
    return { access_token, refresh_token }
  }
  const someSessions = (count: number) => {
    const chosen = new Set<number>()
    while (chosen.size < count) chosen.add(randomInt(population.sessions))
    return [...chosen]
  }
  return {
    subject,
    async run(step: ScaledStep): Promise<ScaledSample> {
      const sessions = step === 'login' ? [] : someSessions(counts[step])
      const tickets = sessions.map(ticketOf)
      const before = await cpuOfDatabase(database.pool)
      const { sample } = await runStep(subject, step, tickets, counts[step])
      const postgresCpu = ((await cpuOfDatabase(database.pool)) - before) / counts[step]
      if (step === 'refresh')
        for (const session of sessions) generations.set(session, (generations.get(session) ?? 0) + 1)
      return { perSecond: sample.perSecond, cpu: sample.cpu, postgresCpu }
    },
    async end() {
      await program.end()
      await keys.close()
      await database.close()
    },
  }
}

function medianOf(samples: readonly ScaledSample[]): ScaledSample {
  const of = (member: keyof ScaledSample) => median(samples.map((sample) => sample[member]))
  return { perSecond: of('perSecond'), cpu: of('cpu'), postgresCpu: of('postgresCpu') }
}
