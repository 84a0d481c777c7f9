import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type t from 'tap'
import { listenOnLoopback, onLoopback } from './process.ts'

type Test = Pick<typeof t, 'teardown'>

/** A proxy between the service and one of its servers, which disturbs their connections as networks do. */
export interface TcpProxy {
  /** `url` with this proxy in place of its host and port. */
  through(url: string): string
  /** Connections open and stay open, but nothing passes in either direction. */
  pause(): void
  /** After a request that matches, the connection's responses are held back: the server has acted, but the client cannot know. */
  withholdAnswersTo(pattern: RegExp): void
  /** Calls `act` once, just before a request that matches goes on to the server. */
  beforeRequest(pattern: RegExp, act: () => void): void
  /** Lets everything pass that was held back. */
  resume(): void
  /** Resets every connection; new connections work. */
  cut(): void
  /** Resets a connection instead of its next response: the server has acted, but the client cannot know. */
  cutAtAnswer(): void
  /** Delays responses from now on. */
  delay(milliseconds: number): void
  /** Connects new connections to another port of the same host; open ones stay. */
  leadTo(port: number): void
}

/**
 * Starts a proxy on a free port of loopback; closed when `test` ends.
 * @param target any URL of the server
 */
export async function startTcpProxy(test: Test, target: string): Promise<TcpProxy> {
  const { hostname: host, port: firstPort } = new URL(target)
  const pairs = new Set<readonly [Socket, Socket]>()
  let targetPort = Number(firstPort)
  let paused = false
  let withheld: RegExp | undefined
  let awaited: { readonly pattern: RegExp; readonly act: () => void } | undefined
  let cutNext = false
  let lag = 0

  // Half open: a socket that Node is shutting down by itself cannot be reset any more (libuv: EINVAL), and its handle
  // would then keep the process busy for ever at its end.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: targetPort, host, allowHalfOpen: true })
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      reset(client)
      upstream.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end).setNoDelay(true)
    client.on('end', end)
    // An answer that ends its connection (Connection: close) arrives whole, as late as the rest.
    upstream.on('end', () => setTimeout(() => client.end(), lag))
    client.on('data', (chunk) => {
      if (awaited?.pattern.test(chunk.toString('latin1')) === true) {
        const { act } = awaited
        awaited = undefined
        act()
      }
      if (withheld?.test(chunk.toString('latin1')) === true) upstream.pause()
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (cutNext) {
        cutNext = false
        end()
      } else if (lag === 0) client.write(chunk)
      else setTimeout(() => client.writable && client.write(chunk), lag)
    })
    if (paused) hold(pair)
  })
  const port = await listenOnLoopback(server)

  const cut = () => {
    for (const [client, upstream] of pairs) {
      reset(client)
      upstream.destroy()
    }
  }
  test.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  })
  return {
    through: (url) => onLoopback(url, port),
    pause() {
      paused = true
      for (const pair of pairs) hold(pair)
    },
    withholdAnswersTo(pattern) {
      withheld = pattern
    },
    beforeRequest(pattern, act) {
      awaited = { pattern, act }
    },
    resume() {
      paused = false
      withheld = undefined
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    cut,
    cutAtAnswer() {
      cutNext = true
    },
    delay(milliseconds) {
      lag = milliseconds
    },
    leadTo(next) {
      targetPort = next
    },
  }
}

/** A socket that is ending already cannot be reset any more. */
function reset(socket: Socket) {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

function hold(pair: readonly Socket[]) {
  for (const socket of pair) socket.pause()
}
