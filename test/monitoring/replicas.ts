import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Environment } from '../../src/config/variables.ts'
import { startCollector } from '../support/collector.ts'
import { testDatabase } from '../support/database.ts'
import { finish, logIn, loginToFinish, post } from '../support/login-flow.ts'
import { emptyFolder, freePorts } from '../support/npm-start.ts'
import type { ProcessService } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { startRedis } from '../support/redis.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'

/** Two replicas in processes of their own, whose hourly work runs every two seconds. The first one sends traces. */
export async function startReplicas(t: Test) {
  const database = await testDatabase(t)
  await registerSite(database, redirectUrl)
  const redis = await startRedis(t)
  const collector = await startCollector(t)
  const options = {
    databaseUrl: database.url,
    redis: { url: redis.url, prefix: '' },
    doubles: await startDoubles(t),
    folder: await emptyFolder(t),
  }
  const env: Environment = {
    DATABASE_POOL_MAX: '3',
    RATE_LIMIT: 'off',
    REFRESH_GRACE: '1',
    NODE_OPTIONS: `--import=${new URL('../support/fast-timers.ts', import.meta.url).href}`,
  }
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '500' }
  const launch = async (more: Environment = {}) =>
    await startProcess(t, { ...options, ports: await freePorts(), env: { ...env, ...more } })
  return {
    database,
    redis,
    doubles: options.doubles,
    replicas: [await launch(traced), await launch()] as const,
  }
}

/** Where Prometheus scrapes a replica. */
export const targetOf = ({ managementUrl }: ProcessService) => new URL(managementUrl).host

/**
 * Logs people in through all three providers and refreshes their tokens, on both replicas, whatever fails meanwhile. Logins by
 * Google are sent one after the other to the first replica alone, so that a test decides which of them fail.
 * @param beforeGoogle runs before each of those, with its number
 */
export function startLoad(
  t: Test,
  [first, second]: readonly [ProcessService, ProcessService],
  beforeGoogle: (number: number) => void,
) {
  const stopped = new AbortController()
  const tokens: string[] = []
  const google = async (number: number) => {
    beforeGoogle(number)
    tokens.push((await logIn(first, 'google')).refreshToken)
    if (tokens.length > 40) tokens.shift()
  }
  const refresh = async (number: number) => {
    const token = tokens.shift()
    if (token === undefined) return
    const answer = await post(number % 2 === 0 ? first : second, '/api/v1/oauth/refresh/', {
      refresh_token: token,
    })
    tokens.push(typeof answer.json.refresh_token === 'string' ? answer.json.refresh_token : token)
  }
  const other = async (number: number) => {
    const service = number % 2 === 0 ? first : second
    const provider = number % 4 < 2 ? 'yandex' : 'mail'
    await finish(service, await loginToFinish(service, provider))
  }
  /** Repeats work, not more than `atOnce` at a time, pausing after each. */
  const repeat = async (work: (number: number) => Promise<unknown>, atOnce: number, pause: number) => {
    const one = async (offset: number) => {
      for (let number = offset; !stopped.signal.aborted; number += atOnce) {
        await work(number).catch(() => {})
        await sleep(pause)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, (_, offset) => one(offset)))
  }
  const running = Promise.all([repeat(google, 1, 80), repeat(refresh, 16, 500), repeat(other, 4, 200)])
  t.teardown(async () => {
    stopped.abort()
    await running
  })
}
