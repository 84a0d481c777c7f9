import type { Test } from 'tap'
import type { Environment } from '../../src/config/variables.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/process.ts'
import type { ProcessOptions } from '../support/process-service.ts'
import { startProcess } from '../support/process-service.ts'
import { testRedis } from '../support/redis.ts'
import type { TestService } from '../support/service.ts'
import { redirectUrl, registerSite, startDoubles } from '../support/service.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

/**
 * Puts a proxy before the profiles of Yandex's double, so that a finish can be held between exchange and profile.
 * @returns the proxy; the variables of a service that goes through it; and how many codes the double has exchanged, with
 * a way to wait for that many (then every profile is requested, and none has arrived)
 */
export async function holdProfiles(test: Pick<Test, 'teardown'>, { yandex }: TestService['doubles']) {
  const toProfile = await startTcpProxy(test, yandex.origin)
  const exchanges = () => yandex.requests.filter(({ path }) => path === '/token').length
  return {
    toProfile,
    env: { YANDEX_USERINFO_URL: toProfile.through(yandex.env.YANDEX_USERINFO_URL ?? '') },
    exchanges,
    exchanged: (count = 1) =>
      eventually(() => {
        if (exchanges() < count) throw new Error(`${exchanges()} exchanges`)
      }),
  }
}

/** Starts storage, doubles and a service process whose requests for a profile can be held back. */
export async function startHeldProcess(
  test: Pick<Test, 'teardown'>,
  env: Environment = {},
  entry: ProcessOptions['entry'] = 'src/main.ts',
) {
  const database = await testDatabase(test)
  const doubles = await startDoubles(test)
  await registerSite(database, redirectUrl)
  const { toProfile, exchanged, env: held } = await holdProfiles(test, doubles)
  const service = await startProcess(test, {
    databaseUrl: database.url,
    redis: await testRedis(test),
    doubles,
    entry,
    env: { ...held, ...env },
  })
  return { database, service, toProfile, exchanged }
}
