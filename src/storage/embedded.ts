import type { ChildProcess } from 'node:child_process'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '../operator-error.ts'

/** The embedded database: PGlite, which clients reach like any PostgreSQL. For development only. */
export interface Embedded {
  readonly url: string
  /** Stops the database if this process started it; otherwise does nothing. */
  close(): Promise<void>
}

/** The embedded database cannot be used; the message is a sentence for the person who started the process. */
export class EmbeddedDatabaseError extends OperatorError {
  override readonly name = 'EmbeddedDatabaseError'
}

/** How the start of the database's process ended, as that process reports it. */
export type Report =
  | { readonly kind: 'serving'; readonly folder: string }
  | { readonly kind: 'held'; readonly holder: Holder }
  | { readonly kind: 'broken'; readonly reason: string }

const server = fileURLToPath(new URL('./embedded-server.ts', import.meta.url))

// The very first start creates the database cluster, which takes up to ten seconds on a small machine.
const readyWithin = 60_000
const stopWithin = 1_000

/**
 * Opens the data in `<directory>/postgres`, in a separate process, as PostgreSQL in WebAssembly would block the event loop
 * of the service. It listens on a Unix socket in a folder that only this user can enter. Two processes would destroy the
 * data, so a lock file beside it admits only one.
 * @param role a `service` fails where another process holds the data; a `command` then uses the database of that process
 * @throws {EmbeddedDatabaseError}
 */
export async function openEmbedded(directory: string, role: 'service' | 'command'): Promise<Embedded> {
  const root = resolve(directory)
  await mkdir(root, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new EmbeddedDatabaseError(`The folder ${root} cannot be made: ${reason}.`, { cause: error })
  })
  const data = join(root, 'postgres')
  const lock = join(root, 'postgres.lock')
  const child = fork(server, [data, lock, join(root, 'socket')], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  })
  const report = await firstReport(child)
  if (report.kind === 'serving') {
    // The database must not keep this process alive.
    child.unref()
    child.channel?.unref()
    return { url: urlOf(report.folder), close: () => stop(child) }
  }
  child.kill('SIGKILL')
  if (report.kind === 'broken')
    throw new EmbeddedDatabaseError(
      `The database in ${data} cannot be opened (${report.reason}); to start afresh, move that folder away.`,
    )
  if (role === 'service')
    throw new EmbeddedDatabaseError(
      `The data in ${root} is in use by another running service${named(report.holder)}; stop that one first.`,
    )
  return { url: urlOf(await folderOf(lock)), close: async () => {} }
}

/** Names the service and not its database, which must not be killed. */
function named({ service }: Holder): string {
  return service === undefined ? '' : ` (process ${service}, such as npm start in another terminal)`
}

async function firstReport(child: ChildProcess): Promise<Report> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), readyWithin)
  try {
    const [message]: unknown[] = await Promise.race([
      once(child, 'message', waiting),
      // PostgreSQL in WebAssembly may end its process rather than throw.
      once(child, 'exit', waiting).then(() => [{ kind: 'broken', reason: 'its process ended' }]),
    ])
    return isReport(message) ? message : { kind: 'broken', reason: 'its process answered nonsense' }
  } catch {
    return { kind: 'broken', reason: 'no answer within a minute' }
  } finally {
    clearTimeout(timer)
    waiting.abort()
  }
}

/** Whether the message is a Report, as embedded-server.ts sends it; guards against a future mistake there. */
function isReport(message: unknown): message is Report {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    ['serving', 'held', 'broken'].some((kind) => kind === message.kind)
  )
}

/** Waits until the holder of the lock, which may still be starting, has its socket. */
async function folderOf(lock: string): Promise<string> {
  const until = performance.now() + readyWithin
  for (;;) {
    const holder = await holderOf(lock)
    if (holder?.folder !== undefined) return holder.folder
    if (holder === undefined || performance.now() > until)
      throw new EmbeddedDatabaseError('The running service stopped meanwhile; try again.')
    await sleep(100)
  }
}

function urlOf(folder: string): string {
  return `postgresql://postgres@/postgres?host=${encodeURIComponent(folder)}`
}

/** Stops the database. Acknowledged writes are already on disk, so a database that does not stop in time can be killed. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const gone = once(child, 'exit')
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithin)
  await gone
  clearTimeout(timer)
}

/** The process that holds the data. */
export interface Holder {
  readonly pid: number
  /** When it started, as the operating system reports it, because its process number may belong to another process by now. */
  readonly startedAt: string
  /** The service that started this database: the process that a person may stop. Absent in locks of older versions. */
  readonly service?: number
  /** The folder of the Unix socket on which its database listens; absent while it starts. */
  readonly folder?: string
}

/** This process, which the service forked. */
function ownHolder(): Holder {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '', service: process.ppid }
}

/**
 * Takes the lock for this process, unless another running process has it.
 * @returns undefined where this process has the lock now, otherwise its holder
 */
export async function takeLock(file: string): Promise<Holder | undefined> {
  const own = ownHolder()
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    for (;;) {
      try {
        // A link appears together with its content, so that no process can read an empty lock.
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

/** Adds the folder of the socket to the lock of this process. */
export async function announce(file: string, folder: string): Promise<void> {
  const own: Holder = { ...ownHolder(), folder }
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 })
  await rename(draft, file)
}

/** The running process that has the lock; undefined where none has it. */
async function holderOf(file: string): Promise<Holder | undefined> {
  return alive(await read(file))
}

/** Removes a lock whose process has ended. If another process replaced it since it was read, that lock is put back. */
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

/** A lock that cannot be parsed has no holder. */
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

/** A text that differs between processes which had the same number; undefined where no process has this number. */
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
