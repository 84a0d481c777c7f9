import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TcpServer } from 'node:net'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/**
 * Closes a server's connections at a stop, so that no request fails and only running requests delay the stop.
 *
 * When `stopping` is aborted, every response gets `Connection: close` (RFC 9112 §9.6), also to requests that already run:
 * the client then sends its next request over a new connection, to another replica. When the server closes, connections
 * that are idle, silent, or have sent only a part of a request get `lastRequests` to send the rest, and are then closed.
 * Node alone would close the idle ones in the middle of the client's next request, and wait for the others for ever.
 * @param options `stopping` is aborted at the beginning of a stop; a server that closes without it waits for no further
 *   requests. `lastRequests`: milliseconds that the closed port waits for requests on its open connections
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
  let closing = false

  function forgetSocket(this: Socket) {
    open.delete(this)
  }
  function forgetResponse(this: ServerResponse) {
    underWay.delete(this)
    // A response whose headers were sent before the stop has left its connection open.
    if (closing) server.closeIdleConnections()
  }
  server.on('connection', (socket: Socket) => {
    opened++
    open.add(socket)
    socket.once('close', forgetSocket)
  })
  // Before Fastify's own listener, which sends some responses synchronously.
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

  const closeUnasked = () => {
    closing = true
    const asked = [...underWay].filter(({ req }) => req.complete).map(({ req }) => req.socket)
    const waitedFor = new Set<Socket>(asked)
    for (const socket of open) if (!waitedFor.has(socket)) socket.destroy()
  }
  app.addHook('preClose', async () => {
    stop()
    if (!server.listening) return
    await untilQuiet(() => opened)
    // Not http.Server's own close(), which would close the idle connections at once.
    const closed = new Promise((resolve) => TcpServer.prototype.close.call(server, resolve))
    if (stopping?.aborted === true)
      await Promise.race([closed, wait(lastRequests, undefined, { ref: false })])
    // Requests that arrived while the process was busy have not been read yet.
    await nextTurn()
    await nextTurn()
    closeUnasked()
    await closed
  })
}

/**
 * Waits until no connection came in two turns of the event loop. When the port closes, the kernel resets each connection
 * that it has accepted but this process has not yet taken, and its request is lost.
 */
async function untilQuiet(opened: () => number): Promise<void> {
  for (let turn = 0, quiet = 0; turn < 100 && quiet < 2; turn++) {
    const before = opened()
    await nextTurn()
    quiet = opened() === before ? quiet + 1 : 0
  }
}
