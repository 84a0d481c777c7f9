import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../test/support/postgres-server.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import type { Result } from './load.ts'
import { measure } from './load.ts'

/**
 * `npm run bench [SECONDS]`: measures whole logins and refreshes of this service, and of a floor that handles as many
 * requests on the same Fastify without doing anything in them. What counts is the ratio within one run: absolute numbers
 * depend on the machine.
 */
const seconds = Number(process.argv[2] ?? 10)
const concurrency = 32
/** BENCH_PROFILE=FOLDER: a CPU profile of the service, for Chrome's DevTools. */
const profiles = process.env.BENCH_PROFILE

const postgres = await startPostgres()
const redis = await startRedisServer()
const start = async (name: string, env: Record<string, string>) => {
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  const child = fork(script, {
    ...(profiles !== undefined &&
      name === 'service' && { execArgv: ['--cpu-prof', `--cpu-prof-dir=${profiles}`] }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  const [url] = await once(child, 'message')
  return String(url)
}
const children: ChildProcess[] = []
try {
  const provider = await start('provider', {})
  const service = await start('service', {
    BENCH_DATABASE_URL: postgres.url,
    BENCH_REDIS_URL: redis.url,
    BENCH_PROVIDER_URL: provider,
  })
  const floor = await start('floor', { BENCH_PROVIDER_URL: provider })
  const results: Result[] = []
  // In turns, so that other load on the machine affects both.
  for (const kind of ['login', 'refresh'] as const)
    for (const [name, url] of [
      ['floor', floor],
      ['service', service],
    ] as const)
      results.push(await measure({ kind, name, url, seconds, concurrency }))
  console.table(
    results.map(({ kind, name, perSecond, p50, p99 }) => ({
      what: kind,
      of: name,
      'a second': Math.round(perSecond),
      'p50 ms': p50.toFixed(1),
      'p99 ms': p99.toFixed(1),
    })),
  )
  for (const kind of ['login', 'refresh']) {
    const of = (name: string) =>
      results.find((result) => result.kind === kind && result.name === name)?.perSecond ?? 0
    console.log(`${kind}: ${(of('service') / of('floor')).toFixed(2)} of its floor`)
  }
} finally {
  for (const child of children) child.kill('SIGINT')
  await Promise.all([postgres.remove(), redis.remove()])
}
