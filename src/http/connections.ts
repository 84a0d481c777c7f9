import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TcpServer } from 'node:net'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/**
 * Ends a server's connections so that a stop fails no request, and nothing but running requests holds it up.
 *
 * From `stopping` on, every answer says `Connection: close` (RFC 9112 §9.6), those of requests under way too: the
 * client's next request then goes over a new connection, to whoever listens. When the server closes, connections
 * that are idle, silent, or have brought only a part of a request get `lastRequests` for the rest and are then cut.
 * Node by itself would cut the idle ones in the middle of the client's next request, and wait for the others for ever.
 * @param options `stopping` is the beginning of a stop; a server that is closed without one waits for no further
 *   requests. `lastRequests`: milliseconds that the closed port waits for a request on the connections that it has
 */
export function endConnections(
  app: FastifyInstance,
  { stopping, lastRequests = 0 }: { readonly stopping?: AbortSignal; readonly lastRequests?: number },
): void {
  const { server } = app
  const open = new Set<Socket>()
  const underWay = new Set<ServerResponse>()
  let opened = 0
  let stopped = false
  let cut = false

  function forgetSocket(this: Socket) {
    open.delete(this)
  }
  function forgetResponse(this: ServerResponse) {
    underWay.delete(this)
    // An answer that had begun before the stop has kept its connection.
    if (cut) server.closeIdleConnections()
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

  const cutUnasked = () => {
    cut = true
    const asked = [...underWay].filter(({ req }) => req.complete).map(({ req }) => req.socket)
    const waitedFor = new Set<Socket>(asked)
    for (const socket of open) if (!waitedFor.has(socket)) socket.destroy()
  }
  app.addHook('preClose', async () => {
    stop()
    if (!server.listening) return
    await untilQuiet(() => opened)
    // Without the http.Server's own part, which would cut the idle connections at once.
    const closed = new Promise((resolve) => TcpServer.prototype.close.call(server, resolve))
    if (stopping?.aborted === true)
      await Promise.race([closed, wait(lastRequests, undefined, { ref: false })])
    // What came while the process was held up has not been read yet.
    await nextTurn()
    await nextTurn()
    cutUnasked()
    await closed
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
