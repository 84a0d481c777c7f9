import { Pool } from 'undici'
import type { Flow, Step, Ticket } from './flow.ts'
import { steps } from './flow.ts'
import type { Program } from './program.ts'

/** What is measured: a program, and how its requests are sent. */
export interface Subject {
  readonly name: string
  readonly program: Program
  readonly flow: Flow
}

/** One step of one subject in one round, or the median of its rounds. */
export interface Sample {
  /** Requests a second; of `login`, whole logins. */
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU of the subject's process, all threads, per request. */
  readonly cpu: number
}

/** The medians of a subject's rounds. */
export type Medians = Readonly<Partial<Record<Step, Sample>>>

/** How much is measured. */
export interface Amount {
  /** Counted rounds; one more goes before them and only warms up. */
  readonly rounds: number
  /** Multiplies the requests of each step in a round. */
  readonly scale: number
}

/** Requests of each step in a round: about a second of each, at the speed of the service. */
const requests: Readonly<Record<Step, number>> = {
  start: 4_000,
  callback: 4_000,
  finish: 1_500,
  refresh: 3_000,
  me: 4_000,
  login: 1_000,
}

/** Requests under way at the same time. */
const usualConcurrency = 32

/** Steps whose outcome can be their next input, so that there may be more requests of them than logins. */
const repeatable: ReadonlySet<Step> = new Set(['refresh', 'me'])

/**
 * Measures every step of every subject. In each round the subjects take turns within a step, each round beginning with
 * another one, so that other load on the machine meets all of them alike.
 * @param onRound called at the end of each round, with its number from 0
 * @returns medians by the subject's name
 */
export async function measure(
  subjects: readonly Subject[],
  { rounds, scale }: Amount,
  onRound: (round: number) => void = () => {},
): Promise<Readonly<Record<string, Medians>>> {
  const samples = new Map<string, Sample[]>()
  for (let round = 0; round <= rounds; round++) {
    const tickets = new Map<string, readonly Ticket[]>()
    for (const subject of subjects)
      tickets.set(subject.name, await prepared(subject, Math.ceil(requests.finish * scale)))
    for (const step of steps)
      for (const subject of rotated(subjects, round)) {
        if (subject.flow[step] === undefined) continue
        const ran = await runStep(
          subject,
          step,
          tickets.get(subject.name) ?? [],
          Math.ceil(requests[step] * scale),
        )
        tickets.set(subject.name, ran.tickets)
        const key = `${subject.name}\0${step}`
        if (round > 0) samples.set(key, [...(samples.get(key) ?? []), ran.sample])
      }
    onRound(round)
  }
  const mediansOf = (name: string): Medians =>
    Object.fromEntries(
      steps.flatMap((step) => {
        const own = samples.get(`${name}\0${step}`)
        return own === undefined ? [] : [[step, medianSample(own)]]
      }),
    )
  return Object.fromEntries(subjects.map(({ name }) => [name, mediansOf(name)]))
}

/**
 * Runs one step.
 * @param tickets of the step before; none for a step that begins a login
 * @param count of requests, at most; fewer where the tickets do not suffice
 * @returns the tickets for the next step, in no order
 */
export async function runStep(
  { name, program, flow }: Subject,
  step: Step,
  tickets: readonly Ticket[],
  count: number,
  concurrency = usualConcurrency,
): Promise<{ tickets: readonly Ticket[]; sample: Sample }> {
  const send = flow[step]
  if (send === undefined) throw new Error(`${name} has no ${step}`)
  const pool = new Pool(program.url, { connections: concurrency })
  const begins = step === 'start' || step === 'login'
  const queue = begins ? Array.from({ length: count }, (): Ticket => ({})) : [...tickets]
  const after = repeatable.has(step) ? queue : []
  const times: number[] = []
  let taken = 0
  const worker = async () => {
    while (taken < count) {
      const ticket = queue[taken]
      if (ticket === undefined) return
      taken++
      const from = performance.now()
      after.push(await send(pool, ticket))
      times.push(performance.now() - from)
    }
  }
  try {
    await openConnections(pool, concurrency)
    const cpuBefore = await program.cpu()
    const from = performance.now()
    await Promise.all(Array.from({ length: concurrency }, worker))
    const took = performance.now() - from
    const cpu = ((await program.cpu()) - cpuBefore) / times.length
    const sample = { perSecond: (times.length / took) * 1000, ...quantiles(times), cpu }
    return { tickets: after === queue ? queue.slice(taken) : after, sample }
  } catch (error) {
    throw new Error(`${name}, ${step}`, { cause: error })
  } finally {
    await pool.close()
  }
}

async function prepared({ program, flow }: Subject, count: number): Promise<Ticket[]> {
  const { prepare } = flow
  if (prepare === undefined) return []
  const pool = new Pool(program.url, { connections: usualConcurrency })
  try {
    return await Promise.all(Array.from({ length: count }, () => prepare(pool, {})))
  } finally {
    await pool.close()
  }
}

/** A connection is not opened within a measured request: no program has the route that this asks for. */
async function openConnections(pool: Pool, concurrency: number): Promise<void> {
  const ask = async () => {
    const { body } = await pool.request({ method: 'GET', path: '/no-such-route' })
    await body.dump()
  }
  await Promise.all(Array.from({ length: concurrency }, ask))
}

function quantiles(times: number[]): Pick<Sample, 'p50' | 'p99'> {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

function medianSample(samples: readonly Sample[]): Sample {
  const of = (member: keyof Sample) => median(samples.map((sample) => sample[member]))
  return { perSecond: of('perSecond'), p50: of('p50'), p99: of('p99'), cpu: of('cpu') }
}

/** The middle value; of an even number of values the upper one of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function rotated<T>(all: readonly T[], by: number): T[] {
  const first = by % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}
