import type { Flow } from './flow.ts'
import { serviceFlow } from './flow.ts'
import type { Subject } from './measure.ts'
import { authJsFlow, betterAuthFlow, fastifyOauth2Flow, oidcProviderFlow } from './peers/flows.ts'
import type { ProfiledProgram } from './program.ts'
import { startProgram } from './program.ts'
import type { Servers } from './servers.ts'

/** A program that can be measured. */
export interface SubjectPlan {
  readonly name: string
  readonly script: string
  readonly flow: Flow
  readonly env?: Readonly<Record<string, string>>
  /** Whether it makes its own tables, in an empty database. */
  readonly ownTables?: boolean
}

const flow = serviceFlow()

/** The floor that trades each code on a connection of its own, as the service does. */
export const floorOnOwnConnections: SubjectPlan = {
  name: 'floor, each code on a connection of its own',
  script: 'floor.ts',
  flow,
  env: { BENCH_OWN_CONNECTION: 'yes' },
}

/** What the service is measured against on the way to it. */
export const floors: readonly SubjectPlan[] = [
  { name: 'empty Fastify', script: 'empty.ts', flow },
  { name: 'floor', script: 'floor.ts', flow },
  floorOnOwnConnections,
]

/** One process of the service with everything on. */
export const ours: SubjectPlan = { name: 'ours', script: 'service.ts', flow }

/** The service without one of its features, to show what that costs. */
export const without = (feature: 'log' | 'metrics' | 'history' | 'limits'): SubjectPlan => ({
  ...ours,
  name: `ours without ${feature}`,
  env: { BENCH_WITHOUT: feature },
})

/** Others that do this job, or a part of it; `npm run bench:peers` installs them. */
export const peers: readonly SubjectPlan[] = [
  {
    name: 'better-auth',
    script: 'peers/better-auth.mjs',
    flow: betterAuthFlow,
    env: { BENCH_INDEX: 'yes' },
    ownTables: true,
  },
  {
    name: 'better-auth as it comes',
    script: 'peers/better-auth.mjs',
    flow: betterAuthFlow,
    ownTables: true,
  },
  { name: 'Auth.js', script: 'peers/auth-js.mjs', flow: authJsFlow, ownTables: true },
  { name: '@fastify/oauth2', script: 'peers/fastify-oauth2.mjs', flow: fastifyOauth2Flow },
  {
    name: 'oidc-provider on PostgreSQL',
    script: 'peers/oidc-provider.mjs',
    flow: oidcProviderFlow,
    env: { BENCH_STORE: 'postgres' },
  },
  {
    name: 'oidc-provider on Redis',
    script: 'peers/oidc-provider.mjs',
    flow: oidcProviderFlow,
    env: { BENCH_STORE: 'redis' },
  },
]

/** A subject that runs in a process of its own, and its Redis. */
export interface StartedSubject extends Subject {
  readonly program: ProfiledProgram
  readonly redisUrl: string
}

/** Starts a program in a process of its own, with databases of its own. */
export async function startSubject(
  { name, script, flow, env, ownTables = false }: SubjectPlan,
  servers: Servers,
): Promise<StartedSubject> {
  const environment = await servers.environment()
  const database = ownTables && { BENCH_DATABASE_URL: await servers.emptyDatabase() }
  const program = await startProgram({ script, env: { ...environment, ...database, ...env } })
  return { name, program, flow, redisUrl: environment.BENCH_REDIS_URL }
}
