import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import type { BalanceResults } from './balance.ts'
import type { Medians } from './measure.ts'
import type { MemoryResults } from './memory.ts'
import type { ProfileResults } from './profile.ts'
import type { ScaleResults } from './scale.ts'

/** What each part of the bench measures. */
export interface Parts {
  /** Medians by the name of the subject. */
  readonly steps: Readonly<Record<string, Medians>>
  readonly profile: ProfileResults
  readonly scale: ScaleResults
  readonly memory: MemoryResults
  /** Milliseconds. */
  readonly start: number
  readonly balance: BalanceResults
}

/** In the order in which they are documented. */
export const partNames = [
  'steps',
  'profile',
  'scale',
  'memory',
  'start',
  'balance',
] as const satisfies (keyof Parts)[]

/** Results, and where and when they were measured. */
export interface Measured<T> {
  readonly at: string
  readonly commit: string
  readonly machine: string
  readonly results: T
}

/** The last results of each part that was measured. */
export type AllResults = { readonly [Name in keyof Parts]?: Measured<Parts[Name]> }

const folder = new URL('./results/', import.meta.url)

/** Says of results where and when they were measured: now and here. */
export function withOrigin<T>(results: T): Measured<T> {
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  return {
    at: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim(),
    machine: `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${gibibytes} GiB, Node ${process.version}`,
    results,
  }
}

/** Keeps the results of a part, in place of earlier ones. */
export async function writeResults<Name extends keyof Parts>(
  name: Name,
  measured: Measured<Parts[Name]>,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(measured, rounded, 2)}\n`)
}

/** Reads what was kept; a part that was never measured is absent. */
export async function readResults(): Promise<AllResults> {
  const parts = await Promise.all(
    partNames.map(async (name) => {
      const text = await readFile(new URL(`${name}.json`, folder), 'utf8').catch(() => undefined)
      return text === undefined ? [] : [[name, JSON.parse(text)] as const]
    }),
  )
  return Object.fromEntries(parts.flat())
}

/** More digits than are measured would only make every change of a file longer. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value
}
