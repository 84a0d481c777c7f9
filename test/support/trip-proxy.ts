import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type t from 'tap'
import { listenOnLoopback, onLoopback } from './process.ts'

type Test = Pick<typeof t, 'teardown'>

/** Round trips. No caller waits for those in `background`. */
export interface Trips {
  readonly awaited: number
  readonly background: number
}

/** A proxy in front of a server, which counts round trips. */
export interface TripProxy {
  /** `url` with this proxy in place of its host and port. */
  through(url: string): string
  /**
   * Round trips since the last call, over all connections. Each begins with the first byte from the client after a
   * response: a pipeline is one trip, a statement and a later COMMIT are two. Waits until the connections are quiet.
   */
  take(): Promise<Trips>
}

/** Milliseconds without a byte: longer than entries of the history wait for each other, also on a loaded machine. */
const quiet = 100

/**
 * Starts a proxy on a free port of loopback; closed when `test` ends.
 * @param background matches the first bytes of trips that are counted separately
 */
export async function startTripProxy(test: Test, target: string, background?: RegExp): Promise<TripProxy> {
  const { hostname, port } = new URL(target)
  let trips: Trips = { awaited: 0, background: 0 }
  let lastByte = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end).setNoDelay(true)
    let asking = false
    client.on('data', (chunk) => {
      // One in the background is seen also while the response to another request is due.
      if (background?.test(chunk.toString('latin1')) === true)
        trips = { ...trips, background: trips.background + 1 }
      else if (!asking) trips = { ...trips, awaited: trips.awaited + 1 }
      asking = true
      lastByte = performance.now()
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      asking = false
      lastByte = performance.now()
      client.write(chunk)
    })
    test.teardown(end)
  })
  const ownPort = await listenOnLoopback(server)
  test.teardown(() => server.close())
  return {
    through: (url) => onLoopback(url, ownPort),
    async take() {
      do await sleep(quiet)
      while (performance.now() - lastByte < quiet)
      const taken = trips
      trips = { awaited: 0, background: 0 }
      return taken
    },
  }
}
