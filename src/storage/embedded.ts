import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Holder } from './embedded-lock.ts'
import { holderOf } from './embedded-lock.ts'

/** PGlite, reachable like any PostgreSQL; for development only. */
export interface Embedded {
  readonly url: string
  /** Stops the database if we started it; otherwise leaves it to its owner. */
  close(): Promise<void>
}

/** The embedded database cannot be used; the message is a sentence for whoever started the process. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = 'EmbeddedDatabaseError'
}

/** What the database's process tells about its start. */
export type Report =
  | { readonly kind: 'serving'; readonly folder: string }
  | { readonly kind: 'held'; readonly holder: Holder }
  | { readonly kind: 'broken'; readonly reason: string }

const server = fileURLToPath(new URL('./embedded-server.ts', import.meta.url))

// The very first start creates the cluster, which takes up to ten seconds on a small machine.
const readyWithin = 60_000
const stopWithin = 1_000

/**
 * Opens the data in `<directory>/postgres`, in a process of its own: PostgreSQL in WebAssembly would hold up
 * the service's event loop. It listens on a Unix socket in a folder that only this user can enter. Two processes on the same data destroy it, so a lock lies beside it.
 * @param role a `service` refuses data that another process holds; a `command` then uses that process's database
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
    // It is there for the process, and must not keep it alive.
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

/** The service rather than its database, which nobody should kill. */
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

/** The other end is our own script; this only keeps a future mistake from going unnoticed. */
function isReport(message: unknown): message is Report {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    ['serving', 'held', 'broken'].some((kind) => kind === message.kind)
  )
}

/** The holder may be starting still: waits for its socket. */
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

/** Acknowledged writes are on disk already, so that a database which does not stop in time can be killed. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const gone = once(child, 'exit')
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithin)
  await gone
  clearTimeout(timer)
}
