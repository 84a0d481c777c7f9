import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { logIn } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { withoutRedis } from '../support/redis.ts'
import type { SentinelSet } from '../support/redis-sentinel.ts'
import { startSentinelSet } from '../support/redis-sentinel.ts'
import type { RedisServer } from '../support/redis-server.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'
import {
  expectGoodAfter,
  flawOf,
  goodWithin,
  startSteadyLogins,
  succeeded,
} from '../support/steady-logins.ts'

// Failovers of Redis by real sentinels, under a steady load of whole logins.

/** Runs `fault` on the master during logins. */
async function failOver(
  t: Test,
  service: TestService,
  set: SentinelSet,
  fault: (master: RedisServer) => Promise<void> | void,
): Promise<void> {
  const old = await set.master()
  await expectGoodAfter(t, service, async () => {
    await fault(old)
    await set.elected(old)
  })
}

t.test('failovers by sentinels', { skip: withoutRedis, timeout: 180_000 }, async (t) => {
  const set = await startSentinelSet(t)
  const service = await startTestService(t, { redis: { url: set.url, prefix: 'f:' }, deadlines })
  await logIn(service)
  let first: RedisServer | undefined

  await t.test('a master that is killed', async (t) => {
    first = await set.master()
    await failOver(t, service, set, (master) => master.stop('SIGKILL'))
  })

  await t.test('logins go on while the old master comes back as a replica', async (t) => {
    const load = startSteadyLogins(t, service, 15)
    await first?.start()
    await set.replicated(2)
    const logins = await load.stop()
    t.strictSame(
      logins.filter((login) => !succeeded(login)).map(({ answer }) => answer.text),
      [],
    )
  })

  await t.test('a second failover, as the master is halted', async (t) => {
    let halted: RedisServer | undefined
    await failOver(t, service, set, (master) => {
      halted = master
      master.pause()
    })
    // It continues as a master without clients, and is then made a replica.
    halted?.resume()
    await set.replicated(2)
  })

  await t.test('with one of three sentinels dead the others elect a master', async (t) => {
    await set.sentinels[0]?.stop('SIGKILL')
    const old = await set.master()
    await failOver(t, service, set, (master) => master.stop('SIGKILL'))
    await set.sentinels[0]?.start()
    await old.start()
    await set.replicated(2)
  })

  await t.test('logins succeed again once sentinels reply after a failover', async (t) => {
    const old = await set.master()
    for (const sentinel of set.sentinels) await sentinel.stop('SIGKILL')
    await logIn(service)
    await old.stop('SIGKILL')
    const load = startSteadyLogins(t, service, 20)
    await sleep(4_000)
    const logins = await load.stop()
    t.strictSame(logins.map(flawOf).filter(Boolean), [])
    t.notOk(logins.some(succeeded), 'there is no master')
    for (const sentinel of set.sentinels) await sentinel.start()
    await set.elected(old)
    await eventually(() => logIn(service), goodWithin)
  })
})
