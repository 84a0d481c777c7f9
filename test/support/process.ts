import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A TCP port of loopback that nobody listens on at this moment, below those that the system gives out by itself
 * (32768 and above on Linux): otherwise some outgoing connection takes it before the test can. A Redis Cluster
 * node listens ten thousand above as well, which must hold there too; 10080 is a port that no `fetch` goes to.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_100, 20_000)
    const server = createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(() => true, refuseUnlessTaken)
    await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}

/** @returns false, so that another port is tried; any other failure would be the next port's too */
function refuseUnlessTaken(error: NodeJS.ErrnoException): false {
  if (error.code !== 'EADDRINUSE') throw error
  return false
}

/** Ends a child by `signal` and waits until it is gone; a child that has ended already is fine. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  // A stopped process (SIGSTOP) sees its signal only when it goes on.
  child.kill('SIGCONT')
  await gone
}

/** Repeats `attempt` every 20 ms until it no longer throws; after `limit` ms it throws the last failure. */
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
