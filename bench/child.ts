import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Tells the bench where a measured program serves, and answers its questions: `cpu` gives the microseconds of CPU that all
 * threads of this process have used so far, `memory` the bytes of its resident set. The program ends with the bench.
 */
export function serveBench(url: string): void {
  process.on('message', (question) => {
    if (question === 'cpu') {
      const { user, system } = process.cpuUsage()
      process.send?.(user + system)
    } else if (question === 'memory') process.send?.(process.memoryUsage.rss())
  })
  process.once('disconnect', () => process.exit())
  process.once('SIGINT', () => process.exit())
  process.send?.(url)
}

/** Listens on a free port of loopback and tells the bench. */
export async function listenForBench(app: Pick<FastifyInstance, 'listen' | 'server'>): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  serveBench(`http://127.0.0.1:${port}`)
}

/** A variable that the bench sets for its programs. @throws {Error} where it is missing */
export function given(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is missing: this program is started by the bench.`)
  return value
}
