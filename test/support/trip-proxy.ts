import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type t from 'tap'

type Test = Pick<typeof t, 'teardown'>

/** Stands before a server and counts how often it is asked. */
export interface TripProxy {
  /** `url` with this proxy in place of its host and port. */
  through(url: string): string
  /**
   * Round trips since the last call, over all connections: each begins with the first byte from the client after
   * an answer. What is sent together is one trip; a statement and the COMMIT after it are two. An entry of the
   * history that goes out alone is none: nobody waits for it.
   */
  take(): number
}

/** Starts a proxy on a free port of loopback; closed when `test` ends. */
export async function startTripProxy(test: Test, target: string): Promise<TripProxy> {
  const { hostname, port } = new URL(target)
  let trips = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end).setNoDelay(true)
    let asking = false
    client.on('data', (chunk) => {
      if (!asking && !isHistory(chunk)) trips += 1
      asking = true
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      asking = false
      lastByte = performance.now()
      client.write(chunk)
    })
    test.teardown(end)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port.')
  return {
    through(url) {
      const other = new URL(url)
      other.host = `127.0.0.1:${address.port}`
      return other.href
    },
    async take() {
      do await sleep(quiet)
      while (performance.now() - lastByte < quiet)
      const taken = trips
      trips = { awaited: 0, background: 0 }
      return taken
    },
  }
}

/** The first command of what is sent, in Redis's protocol. */
function isHistory(chunk: Buffer): boolean {
  return /^\*\d+\r\n\$4\r\nxadd\r\n/.test(chunk.subarray(0, 24).toString('latin1'))
}
