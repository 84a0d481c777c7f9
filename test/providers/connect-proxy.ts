import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { Test } from 'tap'
import { listenOnLoopback } from '../support/process.ts'

/** A proxy for CONNECT on loopback that leads to one port, whatever it is asked for. */
export async function startConnectProxy(
  t: Test,
  target: number,
): Promise<{ port: number; targets: string[] }> {
  const targets: string[] = []
  const proxy = createServer().on('connect', (request, socket) => {
    targets.push(request.url ?? '')
    const upstream = connect(target, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    socket.on('error', () => upstream.destroy())
    upstream.on('error', () => socket.destroy())
  })
  const port = await listenOnLoopback(proxy)
  t.teardown(() => proxy.close())
  return { port, targets }
}
