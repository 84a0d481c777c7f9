import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'

/**
 * A free TCP port of loopback, below those that the system assigns by itself (32768 and above on Linux): otherwise an
 * outgoing connection could take it before the test does. A node of a Redis Cluster also listens ten thousand above, which
 * must be below, too. 10080 is a port that `fetch` refuses. Test files that run side by side have ranges of their own: the
 * port is free only until somebody listens, which may take seconds.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstOfJob + randomInt(portsOfJob)
    if (given.has(port)) continue
    const server = createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(() => true, falseIfTaken)
    await new Promise((resolve) => server.close(resolve))
    if (!free) continue
    given.add(port)
    return port
  }
}

const jobs = 4
const portsOfJob = Math.floor((20_000 - 10_100) / jobs)

/** tap numbers the jobs that run side by side. */
const firstOfJob = 10_100 + portsOfJob * (Number(process.env.TAP_JOB_ID ?? 0) % jobs)

/** The ports that this process has been given. */
const given = new Set<number>()

/** @returns false if the port is taken, so that another one is tried; any other error would repeat for the next port */
function falseIfTaken(error: NodeJS.ErrnoException): false {
  if (error.code !== 'EADDRINUSE') throw error
  return false
}

/** The path of the first of these programs that is installed; undefined if none of them is. */
export function findProgram(...names: string[]): string | undefined {
  // Debian installs servers in a folder that is only in root's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
}

/** Makes a server listen on a free port of loopback. @returns the port */
export async function listenOnLoopback(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port.')
  return address.port
}

/** `url` with a port of loopback in place of its host and port. An origin stays one: it gets no slash at its end. */
export function onLoopback(url: string, port: number): string {
  const other = new URL(url)
  other.host = `127.0.0.1:${port}`
  return url.endsWith('/') ? other.href : other.href.replace(/\/$/, '')
}

/** Sends `signal` to a child and waits until it has ended; does nothing if it has ended already. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  // A stopped process (SIGSTOP) receives the signal only after SIGCONT.
  child.kill('SIGCONT')
  await gone
}

/** Repeats `attempt` every 20 ms until it does not throw; after `limit` ms throws its last error. */
export async function eventually<T>(attempt: () => Promise<T> | T, limit = 10_000): Promise<T> {
  const until = performance.now() + limit
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** A server program that runs for a test. */
export interface ServerProcess {
  /** Ends the program with a signal and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, on the same port and data. */
  start(): Promise<void>
  /** Halts it (SIGSTOP): connections open, but nothing responds. */
  pause(): void
  /** Continues it after `pause`. */
  resume(): void
  /** Ends it for good and removes its folders. */
  remove(): Promise<void>
}

/** How a server program is run. */
export interface ServerProgram {
  readonly launch: () => ChildProcess
  /** Throws while the server does not accept requests yet. */
  readonly ready: () => Promise<void>
  /** Removed together with the server. */
  readonly folders: readonly string[]
  readonly stopSignal: NodeJS.Signals
  readonly removeSignal: NodeJS.Signals
  /** Halts or continues all of its processes; by default the child alone. */
  readonly signalAll?: (child: ChildProcess, signal: NodeJS.Signals) => void
}

/** Starts a server program and waits until it is ready. It ends with this process at the latest. */
export async function startServerProcess({
  launch,
  ready,
  folders,
  stopSignal,
  removeSignal,
  signalAll = (running, signal) => running.kill(signal),
}: ServerProgram): Promise<ServerProcess> {
  let child = launch()
  const atExit = () => {
    child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', atExit)
  const stop = async (signal: NodeJS.Signals = stopSignal) => {
    signalAll(child, 'SIGCONT')
    await end(child, signal)
  }
  const remove = async () => {
    process.removeListener('exit', atExit)
    await stop(removeSignal)
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  }
  await ready().catch(async (error: unknown) => {
    await remove()
    throw error
  })
  return {
    stop,
    async start() {
      child = launch()
      await ready()
    },
    pause: () => signalAll(child, 'SIGSTOP'),
    resume: () => signalAll(child, 'SIGCONT'),
    remove,
  }
}
