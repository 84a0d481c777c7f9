import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'

/** The process that has the data open. */
export interface Holder {
  readonly pid: number
  /** When it started, as its system tells: a process number alone may have been given to another since. */
  readonly startedAt: string
  /** The process that the database serves and ends with: what a person may stop. Absent in locks of older versions. */
  readonly service?: number
  /** The folder of the Unix socket on which its database listens; absent while it starts. */
  readonly folder?: string
}

/**
 * Takes the lock for this process, unless a live one has it.
 * @returns undefined where it is ours now, else who has it
 */
export async function takeLock(file: string): Promise<Holder | undefined> {
  const own = ownHolder()
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    for (;;) {
      try {
        // Appears at once with its content: nobody can read a lock that is still empty.
        await link(draft, file)
        return undefined
      } catch (error) {
        if (!isCode(error, 'EEXIST')) throw error
      }
      const text = await read(file)
      const holder = alive(text)
      if (holder !== undefined) return holder
      if (text !== undefined) await removeStale(file, text)
    }
  } finally {
    await rm(draft, { force: true })
  }
}

/** Adds to our lock where the database listens. */
export async function announce(file: string, folder: string): Promise<void> {
  const own: Holder = { ...ownHolder(), folder }
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 })
  await rename(draft, file)
}

/** This process, forked by the service. */
function ownHolder(): Holder {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '', service: process.ppid }
}

/** The live process that has the lock; undefined where nobody has. */
export async function holderOf(file: string): Promise<Holder | undefined> {
  return alive(await read(file))
}

/** Another process may have taken the stale lock since it was read: what was moved away by mistake is put back. */
async function removeStale(file: string, text: string): Promise<void> {
  const aside = `${file}.stale.${process.pid}`
  try {
    await rename(file, aside)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    throw error
  }
  if ((await read(aside)) !== text) await link(aside, file).catch(() => {})
  await rm(aside, { force: true })
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function alive(text: string | undefined): Holder | undefined {
  const holder = parse(text ?? '')
  return holder !== undefined && startOf(holder.pid) === holder.startedAt ? holder : undefined
}

/** A lock that is not readable belongs to nobody. */
function parse(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value))
      return undefined
    if (!Number.isSafeInteger(value.pid) || typeof value.startedAt !== 'string') return undefined
    const place = 'folder' in value && typeof value.folder === 'string' ? { folder: value.folder } : {}
    const service =
      'service' in value && Number.isSafeInteger(value.service) ? { service: Number(value.service) } : {}
    return { pid: Number(value.pid), startedAt: value.startedAt, ...service, ...place }
  } catch {
    return undefined
  }
}

/** A text that no two processes of the same number share; undefined where there is none of that number. */
function startOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux')
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
      )
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc(5): after the parenthesised name, field 3 is the state and field 22 the start in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
