import { randomBytes } from 'node:crypto'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { openSession } from '../../src/sessions/open-session.ts'
import { rotateSession } from '../../src/sessions/rotate-session.ts'
import { isDatabaseUnavailable } from '../../src/storage/database-errors.ts'
import type { Database } from '../../src/storage/postgres.ts'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { patient } from '../support/deadlines.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { addSite, login, opened, refresh } from './test-sessions.ts'

/** One database twice: directly, and through a proxy that can cut. */
async function behindProxy(t: Pick<typeof import('tap').default, 'teardown'>, ownDeadlines = patient) {
  const direct = await testDatabase(t)
  const proxy = await startTcpProxy(t, direct.url)
  const cuttable = openTestDatabase(t, {
    url: proxy.through(direct.url),
    poolMax: 1,
    deadlines: ownDeadlines,
  })
  await addSite(direct)
  return { direct, cuttable, proxy }
}

/** Connects first, so that the next response is that of a statement, not of a connection. */
const connected = (database: Database) => database.prisma.$queryRaw`SELECT 1`

t.test(
  'a refresh whose connection is cut between COMMIT and response is repeated, and the user stays logged in',
  async (t) => {
    const { direct, cuttable, proxy } = await behindProxy(t)
    const session = await opened(direct)
    await connected(cuttable)
    proxy.cutAtAnswer()
    t.match(await refresh(cuttable, session, 0), { kind: 'repeated', session: { generation: 1 } })
    t.match(await refresh(direct, session, 1), { kind: 'rotated', session: { generation: 2 } })
  },
)

t.test(
  'without a grace that refresh is not repeated: the failure reaches the caller, and the session lives',
  async (t) => {
    const { direct, cuttable, proxy } = await behindProxy(t)
    const session = await opened(direct)
    await connected(cuttable)
    proxy.cutAtAnswer()
    const failure: unknown = await refresh(cuttable, session, 0, { grace: 0 }).catch(
      (error: unknown) => error,
    )
    t.ok(isDatabaseUnavailable(failure))
    t.match(await direct.prisma.session.findMany(), [{ generation: 1, revokedAt: null }])
  },
)

t.test('a caller that repeats a refresh after a lost response finds the session alive', async (t) => {
  const { direct, cuttable, proxy } = await behindProxy(t)
  const session = await opened(direct)
  await connected(cuttable)
  proxy.cutAtAnswer()
  const signal = AbortSignal.abort()
  const request = {
    sessionId: session.sessionId,
    generation: 0,
    authenticatedSite: null,
    refreshKid: 'kid-1',
    ttl: 60,
    grace: 10,
  }
  await t.rejects(rotateSession(cuttable, request, signal))
  t.match(await rotateSession(cuttable, request), { kind: 'repeated', session: { generation: 1 } })
})

t.test(
  'a login whose connection is cut between COMMIT and response recognises the session that it opened',
  async (t) => {
    const { direct, cuttable, proxy } = await behindProxy(t)
    const loginHash = randomBytes(32)
    await connected(cuttable)
    proxy.cutAtAnswer()
    const session = await openSession(cuttable, login({ loginHash }))
    t.match(session, { kind: 'opened', generation: 0, living: true })
    t.equal(await direct.prisma.session.count(), 1)
    t.equal(await direct.prisma.user.count(), 1)
    t.same(await openSession(cuttable, login({ loginHash })), { kind: 'exists' }, 'and another’s is not')
  },
)

t.test('a login waits for the database until its deadline, and no longer', async (t) => {
  const { cuttable, proxy } = await behindProxy(t, deadlines)
  proxy.pause()
  setTimeout(() => proxy.resume(), 1_500)
  t.match(await openSession(cuttable, login(), AbortSignal.timeout(8_000)), { kind: 'opened' })
  proxy.pause()
  const failure: unknown = await openSession(cuttable, login(), AbortSignal.timeout(500)).catch(
    (error: unknown) => error,
  )
  t.ok(isDatabaseUnavailable(failure))
  proxy.resume()
})

t.test(
  'while backends are killed under a load of refreshes, every chain continues from its last token',
  async (t) => {
    const database = await testDatabase(t, 8)
    await addSite(database)
    const sessions = await Promise.all(Array.from({ length: 8 }, () => opened(database)))
    const over = new AbortController()
    const killer = (async () => {
      for (let n = 0; n < 12; n++) {
        await new Promise((resolve) => setTimeout(resolve, 60))
        await database.pool
          .query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()`,
          )
          .catch(() => {})
      }
      over.abort()
    })()
    const chains = await Promise.all(
      sessions.map(async (session) => {
        let generation = 0
        let failures = 0
        while (!over.signal.aborted) {
          const outcome = await refresh(database, session, generation).catch((error: unknown) => {
            if (!isDatabaseUnavailable(error)) throw error
            return undefined
          })
          if (outcome === undefined) failures += 1
          else if (outcome.kind === 'rotated' || outcome.kind === 'repeated')
            generation = outcome.session.generation
          else throw new Error(`The chain was broken: ${JSON.stringify(outcome)}`)
        }
        return { generation, failures }
      }),
    )
    await killer
    t.ok(chains.every(({ generation }) => generation > 10))
    t.equal(await database.prisma.session.count({ where: { revokedAt: null } }), 8)
  },
)
