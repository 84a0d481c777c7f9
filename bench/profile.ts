import { mkdir, writeFile } from 'node:fs/promises'
import type { Profiler } from 'node:inspector'
import { join } from 'node:path'
import type { Step } from './flow.ts'
import { steps } from './flow.ts'
import { runStep } from './measure.ts'
import { startServers } from './servers.ts'
import type { StartedSubject, SubjectPlan } from './subjects.ts'
import { floorOnOwnConnections, ours, startSubject } from './subjects.ts'

/** What functions of V8 and of Node's C++ do, which have no file, as far as their names say it. */
const kindsByName = [
  ['writing to sockets, connecting, closing', /^(write|connect|close$|shutdown$)/],
  ['collecting garbage', /^\(garbage collector\)/],
  ['the rest of V8 and libuv', /^\((program|root)\)|^runMicrotasks/],
] as const

/** What every other function is for: the first that fits its file. */
const kindsByFile = [
  ['cryptography', /node:internal\/crypto|node:crypto/],
  ['JWTs and checks of their claims', /\/(fast-jwt|@fastify\/jwt|typebox)\//],
  ["Redis' client", /\/(ioredis|@ioredis|redis-parser|standard-as-callback|cluster-key-slot)\//],
  ["PostgreSQL's client", /\/(pg|pg-[a-z]+|postgres-[a-z]+|@prisma)\//],
  ['requests to providers: undici', /\/undici\//],
  ['Fastify and its plugins', /\/(fastify|find-my-way|@fastify|avvio|fast-[a-z-]+|ret|light-my-request)\//],
  ['log', /\/(pino|sonic-boom|thread-stream|pino-[a-z-]+)\/|src\/(log|http\/access-log)\.ts/],
  ['metrics', /\/(prom-client|bintrees)\/|src\/http\/metrics\.ts/],
  ['limits', /\/rate-limiter-flexible\/|src\/http\/(limit-bucket|rate-limit|client-ip)\.ts/],
  ['history of logins', /src\/login-history\//],
  ["Node's HTTP, sockets and timers", /^node:/],
  ["the service's own code", /\/(src|plugins|bench)\//],
  ['other packages', /./],
] as const

export type Kind = (typeof kindsByName | typeof kindsByFile)[number][0]

/** The kinds in the order in which they are told. */
export const kindNames: readonly Kind[] = [...kindsByName, ...kindsByFile].map(([name]) => name)

/** Microseconds per request by kind, of the floor and of the service. Those of a subject add up to its CPU time. */
export type ProfileResults = Readonly<
  Record<'floor' | 'ours', Readonly<Partial<Record<Step, Readonly<Partial<Record<Kind, number>>>>>>>
>

/** Requests of a step that are profiled: as many as V8's profiler can sample some thousand times. */
const profiled = 6_000

/**
 * Profiles every step of the service and of the floor whose codes have connections of their own, as those of the service.
 * @param folder where the profiles are written for Chrome's DevTools
 */
export async function measureProfile({ folder }: { readonly folder?: string } = {}): Promise<ProfileResults> {
  const servers = await startServers()
  const subjects: StartedSubject[] = []
  try {
    const start = async (plan: SubjectPlan) => {
      const subject = await startSubject(plan, servers)
      subjects.push(subject)
      return subject
    }
    const [least, own] = [await start(floorOnOwnConnections), await start(ours)]
    return { floor: await profileOf(least, folder), ours: await profileOf(own, folder) }
  } finally {
    for (const { program } of subjects) await program.end()
    await servers.end()
  }
}

async function profileOf(subject: StartedSubject, folder: string | undefined) {
  await runStep(subject, 'login', [], 3_000)
  let { tickets } = await runStep(subject, 'start', [], profiled)
  const results: Partial<Record<Step, Readonly<Partial<Record<Kind, number>>>>> = {}
  for (const step of steps) {
    if (subject.flow[step] === undefined) continue
    const profiling = await subject.program.profile()
    const ran = await runStep(subject, step, tickets, profiled)
    const profile = await profiling.stop()
    results[step] = byKind(profile, ran.sample.cpu)
    if (folder !== undefined) await write(profile, folder, `${subject.name} ${step}`)
    if (step !== 'login') tickets = ran.tickets
  }
  return results
}

async function write(profile: Profiler.Profile, folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`), JSON.stringify(profile))
}

/**
 * Where the time of a profile went.
 * @param cpu microseconds of CPU per request, of which each kind gets its part
 */
export function byKind(profile: Profiler.Profile, cpu: number): Readonly<Partial<Record<Kind, number>>> {
  const kindOfNode = new Map<number, Kind | undefined>()
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const visit = (id: number, file: string) => {
    const node = nodes.get(id)
    if (node === undefined) return
    const { functionName, url } = node.callFrame
    // A function without a file belongs to who called it, unless its name says what it does.
    const owner = url || file
    const counted = functionName !== '(idle)' && url !== 'node:inspector'
    const byName = url === '' ? kindsByName.find(([, pattern]) => pattern.test(functionName)) : undefined
    kindOfNode.set(id, counted ? (byName?.[0] ?? kindOfFile(owner)) : undefined)
    for (const child of node.children ?? []) visit(child, owner)
  }
  const [root] = profile.nodes
  if (root !== undefined) visit(root.id, '')
  const times = new Map<Kind, number>()
  let busy = 0
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const kind = kindOfNode.get(id)
    if (kind === undefined) continue
    const took = Math.max(0, profile.timeDeltas?.[index] ?? 0)
    busy += took
    times.set(kind, (times.get(kind) ?? 0) + took)
  }
  return Object.fromEntries([...times].map(([kind, time]) => [kind, (time / busy) * cpu]))
}

function kindOfFile(file: string): Kind {
  return kindsByFile.find(([, pattern]) => pattern.test(file))?.[0] ?? 'other packages'
}
