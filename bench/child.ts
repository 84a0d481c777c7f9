import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Tells the bench where a measured program serves, and answers its questions: `cpu` gives the microseconds of CPU that all
 * threads of this process have used so far, `memory` the bytes of its resident set, `profile` a CPU profile of what ran since
 * `start-profile`. The program ends with the bench.
 */
export function serveBench(url: string): void {
  process.on('message', (question) => {
    if (question === 'cpu') {
      const { user, system } = process.cpuUsage()
      process.send?.(user + system)
    } else if (question === 'memory') process.send?.(process.memoryUsage.rss())
    else if (question === 'start-profile') void startProfile().then(() => process.send?.('started'))
    else if (question === 'profile') void stopProfile().then((profile) => process.send?.(profile))
  })
  process.once('disconnect', () => process.exit())
  process.once('SIGINT', () => process.exit())
  process.send?.(url)
}

const inspector = new Session()

async function startProfile(): Promise<void> {
  inspector.connect()
  await inspector.post('Profiler.enable')
  // Twice as often as by default: a step takes less than a second.
  await inspector.post('Profiler.setSamplingInterval', { interval: 500 })
  await inspector.post('Profiler.start')
}

async function stopProfile() {
  const { profile } = await inspector.post('Profiler.stop')
  inspector.disconnect()
  return profile
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
