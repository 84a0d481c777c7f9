import { mkdir, writeFile } from 'node:fs/promises'
import type { Profiler } from 'node:inspector'
import { join } from 'node:path'
import type { Step } from './flow.ts'
import { steps } from './flow.ts'
import { runStep } from './measure.ts'
import { startServers } from './servers.ts'
import type { StartedSubject } from './subjects.ts'
import { floors, ours, startSubject } from './subjects.ts'

/** What the time of a process is spent on: the first that fits a function's file, or its name where V8 gives it no file. */
const kinds = [
  ['writing to sockets, connecting, closing', /^(write|connect|close$|shutdown$|internalConnect|destroy$)/],
  ['collecting garbage', /^\(garbage collector\)/],
  ['the rest of V8 and libuv', /^\((program|root)\)|^runMicrotasks/],
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

export type Kind = (typeof kinds)[number][0]

/** The kinds in the order in which they are told. */
export const kindNames: readonly Kind[] = kinds.map(([name]) => name)

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
    const [, , floor] = floors
    if (floor === undefined) throw new Error('The floor has gone.')
    for (const plan of [floor, ours]) subjects.push(await startSubject(plan, servers))
    const [least, own] = subjects
    if (least === undefined || own === undefined) throw new Error('Nothing was started.')
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
    // Functions of V8 and of Node's C++ have no file: they belong to who called them, unless their name says what they do.
    const known = url === '' && /^(\(|write|connect|close$|shutdown$|runMicrotasks)/.test(functionName)
    const name = known ? functionName : url || file
    const counted = functionName !== '(idle)' && url !== 'node:inspector'
    kindOfNode.set(id, counted ? kindOf(name || functionName) : undefined)
    for (const child of node.children ?? []) visit(child, url || file)
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

function kindOf(name: string): Kind {
  return kinds.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other packages'
}
