import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Milliseconds that a closed server still waits for the rest of a request of which only a part has come. */
const restOfRequest = 250

/**
 * Ends a server's connections so that a stop fails no request and nothing but running requests holds it up.
 *
 * From `stopping` on, or its own close, every answer says `Connection: close` (RFC 9112 §9.6), those of requests under way too: the
 * client's next request then goes over a new connection, to whoever listens. When the server closes, connections
 * without a complete request (a browser's spare, half a body, half the headers of a second request) are given
 * `restOfRequest`, as Node has no time-out for them any more, and would wait for ever.
 */
export function endConnections(app: FastifyInstance, stopping: AbortSignal | undefined): void {
  const { server } = app
  const open = new Set<Socket>()
  const underWay = new Set<ServerResponse>()
  let opened = 0
  let stopped = false
  let closing = false

  function forgetSocket(this: Socket) {
    open.delete(this)
  }
  function forgetResponse(this: ServerResponse) {
    underWay.delete(this)
    // An answer that had begun before the stop has kept its connection.
    if (closing) server.closeIdleConnections()
  }
  server.on('connection', (socket: Socket) => {
    opened++
    open.add(socket)
    socket.once('close', forgetSocket)
  })
  // Before Fastify's own listener: some of its answers are sent while that runs.
  server.prependListener('request', (_request, response: ServerResponse) => {
    underWay.add(response)
    response.once('close', forgetResponse)
    if (stopped) response.setHeader('connection', 'close')
  })
  const stop = () => {
    stopped = true
    for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close')
  }
  stopping?.addEventListener('abort', stop, { once: true })

  app.addHook('preClose', async () => {
    stop()
    await untilQuiet(() => opened)
    closing = true
    setTimeout(() => {
      const asked = [...underWay].filter(({ req }) => req.complete).map(({ req }) => req.socket)
      const waitedFor = new Set<Socket>(asked)
      for (const socket of open) if (!waitedFor.has(socket)) socket.destroy()
    }, restOfRequest).unref()
  })
}

/**
 * Waits until no connection came in two turns of the event loop. A connection that the system has accepted and this
 * process has not yet seen is reset when the port closes, with the request that it brings.
 */
async function untilQuiet(opened: () => number): Promise<void> {
  for (let turn = 0, quiet = 0; turn < 100 && quiet < 2; turn++) {
    const before = opened()
    await nextTurn()
    quiet = opened() === before ? quiet + 1 : 0
  }
}
