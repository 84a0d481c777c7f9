import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { tryRedis } from '../../src/redis-start-check.ts'
import { connectRedis } from '../../src/storage/redis.ts'
import { codeBlocks, readText } from '../docs/markdown.ts'
import { logIn } from '../support/login-flow.ts'
import { eventually } from '../support/process.ts'
import { withoutRedis } from '../support/redis.ts'
import { startRedisCluster } from '../support/redis-cluster.ts'
import { startTestService } from '../support/service.ts'
import { expectGoodAfter, goodWithin, startSteadyLogins, succeeded } from '../support/steady-logins.ts'

// Failovers of a Redis Cluster by itself, under a steady load of whole logins.

t.test('failovers of a cluster', { skip: withoutRedis, timeout: 180_000 }, async (t) => {
  // The user of the operators' guide, from its two lines; in the configuration, so that a restart keeps it.
  const guide = codeBlocks(await readText('docs/en/operators.md')).map(({ text }) => text.trim())
  const lines = guide.filter((text) => text.startsWith('ACL SETUSER auth-movies '))
  t.equal(lines.length, 2)
  const rules = lines.flatMap((line) => line.replace('PASSWORD', 'test-only').split(' ').slice(3))
  const prefix = 'auth-movies:'
  const cluster = await startRedisCluster(t, ['--user', 'auth-movies', ...rules])
  const url = cluster.url.replaceAll('redis://', 'redis://auth-movies:test-only@')
  const service = await startTestService(t, { redis: { url, prefix }, deadlines })
  await logIn(service)
  const masters = await cluster.masters()
  const [first] = masters
  if (first === undefined) throw new Error('A cluster has masters.')

  await t.test('one node is enough to find the cluster, even a replica', async (t) => {
    const replica = cluster.servers.find((server) => !masters.includes(server))
    const single = replica?.url.replace('redis://', 'redis://auth-movies:test-only@') ?? ''
    const one = await startTestService(t, { redis: { url: single, prefix }, deadlines })
    for (let n = 0; n < 30; n++) await logIn(one)
    await one.close()
  })

  await t.test('a master that is killed', async (t) => {
    await expectGoodAfter(t, service, async () => {
      await first.stop('SIGKILL')
      await cluster.elected(first)
    })
  })

  await t.test('logins go on while it comes back as a replica', async (t) => {
    const load = startSteadyLogins(t, service, 15)
    await first.start()
    await cluster.replicated()
    const logins = await load.stop()
    t.strictSame(
      logins.filter((login) => !succeeded(login)).map(({ answer }) => answer.text),
      [],
    )
  })

  await t.test('a failover back, as the new master is halted', async (t) => {
    const halted = await cluster.masterOf(first)
    await expectGoodAfter(t, service, async () => {
      halted.pause()
      await cluster.elected(halted)
    })
    t.ok((await cluster.masters()).includes(first), 'the first master is one again')
    halted.resume()
    await cluster.replicated()
  })

  await t.test('pipelined commands find the new master too', async (t) => {
    const client = await connectRedis({ url, prefix, tryOut: tryRedis, onWarning: () => {} })
    t.teardown(() => client.disconnect())
    // Commands to many slots in one pipeline, of which some are redirected and others carried out.
    const together = () =>
      Promise.all(Array.from({ length: 60 }, (_, n) => client.set(`${prefix}${n}`, 0, 'EX', 60)))
    await together()
    const [victim = first] = await cluster.masters()
    await victim.stop('SIGKILL')
    let asked = 0
    const elected = cluster.elected(victim).then(() => performance.now())
    const good = await eventually(async () => {
      asked++
      await together()
      return performance.now()
    }, 30_000)
    const took = good - (await elected)
    t.comment(`good ${Math.round(took)} ms after the election, at attempt ${asked}`)
    t.ok(took < goodWithin)
  })
})
