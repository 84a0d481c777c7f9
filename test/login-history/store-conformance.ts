import type { Test } from 'tap'
import { loginId, newState } from '../../src/login/login.ts'
import type { LoginEntry } from '../../src/login-history/entry.ts'
import type { LoginHistory } from '../../src/login-history/store.ts'

const everything = { limit: 200 }

/** The entries of one login, whose start came `at` and whose further requests came a second after each other. */
function madeLogin(at = Date.now() - 60_000) {
  const login = loginId(newState())
  const start = { at, requestId: `start-${login}` }
  const entry = (request: LoginEntry['request'], after: number, rest: Partial<LoginEntry>): LoginEntry => ({
    login,
    provider: 'yandex',
    request,
    requestId: `${request}-${after}-${login}`,
    at: at + after,
    ms: 10,
    steps: [],
    start,
    ...rest,
  })
  return {
    login,
    at,
    started: entry('start', 0, {
      requestId: start.requestId,
      steps: [
        ['started', at],
        ['sent_to_provider', at + 2],
      ],
    }),
    cameBack: entry('callback', 1_000, { steps: [['came_back', at + 1_001]] }),
    junk: (index: number) => entry('callback', 1_100 + index, { problem: 'code-mismatch' }),
    finish: (after: number, rest: Partial<LoginEntry> = {}) => entry('finish', after, rest),
    finished: entry('finish', 2_000, {
      steps: [
        ['claimed', at + 2_001],
        ['exchanged', at + 2_002],
        ['profile', at + 2_003],
        ['session', at + 2_004],
      ],
    }),
  }
}

/**
 * The tests that every LoginHistory must pass.
 * @param history gives a new history, or one that the tests share: each test has a site of its own
 */
export async function runHistoryConformance(test: Test, history: () => Promise<LoginHistory>): Promise<void> {
  const record = async (...entries: readonly LoginEntry[]) => {
    const logins = await history()
    const site = `site_${newState().slice(0, 12)}`
    for (const entry of entries) logins.record(site, entry)
    return { logins, site }
  }

  await test.test('three requests make one login, with its steps in order', async (t) => {
    const made = madeLogin()
    const { logins, site } = await record(made.started, made.cameBack, made.finished)
    const found = await logins.recent(site, everything)
    t.strictSame(found, [
      {
        id: made.login,
        provider: 'yandex',
        startedAt: made.at,
        ms: 2_010,
        outcome: 'success',
        steps: [...made.started.steps, ...made.cameBack.steps, ...made.finished.steps],
        requests: [made.started, made.cameBack, made.finished],
      },
    ])
  })

  await test.test('a site is shown only its own logins', async (t) => {
    const { logins } = await record(madeLogin().started)
    t.strictSame(await logins.recent('site_nobody', everything), [])
  })

  await test.test('each start that failed is shown alone, without the id of a login', async (t) => {
    const { login: _login, start: _start, ...failed } = madeLogin().started
    const one = { ...failed, steps: [], problem: 'provider-not-allowed' }
    const { logins, site } = await record(one, { ...one })
    const found = await logins.recent(site, everything)
    t.match(found, [
      { outcome: 'failed', problem: 'provider-not-allowed' },
      { outcome: 'failed', problem: 'provider-not-allowed' },
    ])
    t.notOk(found.some((login) => 'id' in login))
  })

  const made = madeLogin()
  const claimed: LoginEntry['steps'] = [['claimed', made.at + 3_000]]
  const table: { name: string; entries: LoginEntry[]; outcome: string; problem?: string; last: string }[] = [
    {
      name: 'a login without a callback is pending',
      entries: [made.started],
      outcome: 'pending',
      last: 'sent_to_provider',
    },
    {
      name: 'a login without a finish is pending',
      entries: [made.started, made.cameBack],
      outcome: 'pending',
      last: 'came_back',
    },
    {
      name: 'a login that the person refused is refused',
      entries: [made.started, { ...made.cameBack, problem: 'access-denied' }],
      outcome: 'refused',
      problem: 'access-denied',
      last: 'came_back',
    },
    {
      name: 'a login that was finished with a wrong code and then with the right one is a success',
      entries: [made.cameBack, made.finish(1_500, { problem: 'code-mismatch' }), made.finished],
      outcome: 'success',
      last: 'session',
    },
    {
      name: 'a login that failed at the provider keeps its problem when the site repeats the finish',
      entries: [
        made.cameBack,
        made.finish(2_000, { steps: claimed, problem: 'code-rejected' }),
        made.finish(2_500, { problem: 'login-completed' }),
      ],
      outcome: 'failed',
      problem: 'code-rejected',
      last: 'claimed',
    },
    {
      name: 'a login that was given back and then finished is a success',
      entries: [
        made.cameBack,
        made.finish(1_500, { steps: [['claimed', made.at + 1_501]], problem: 'provider-unavailable' }),
        made.finished,
      ],
      outcome: 'success',
      last: 'session',
    },
    {
      name: 'a finished login stays a success after a second click',
      entries: [
        made.cameBack,
        made.finished,
        { ...made.junk(5_000), problem: 'login-completed' },
        made.finish(7_000, { problem: 'login-completed' }),
      ],
      outcome: 'success',
      last: 'session',
    },
  ]
  for (const { name, entries, outcome, problem, last } of table) {
    await test.test(name, async (t) => {
      const { logins, site } = await record(...entries)
      const [login] = await logins.recent(site, everything)
      t.equal(login?.outcome, outcome)
      t.equal(login?.problem, problem)
      t.equal(login?.steps.at(-1)?.[0], last)
      t.same(
        login?.steps.map(([, at]) => at),
        login?.steps.map(([, at]) => at).toSorted((a, b) => a - b),
        'the times of the steps ascend',
      )
    })
  }

  await test.test(
    'a login whose start was pushed out is shown with the time and the request id of its start',
    async (t) => {
      const { logins, site } = await record(made.cameBack, made.finished)
      const [login] = await logins.recent(site, everything)
      t.equal(login?.startedAt, made.at)
      t.strictSame(login?.steps[0], ['started', made.at])
      t.match(login?.requests[0], { request: 'start', requestId: made.started.requestId })
      t.equal(login?.requests.length, 3)
    },
  )

  await test.test('logins are filtered by outcome, request id, start and number', async (t) => {
    const now = Date.now()
    const [old, middle, young] = [
      madeLogin(now - 3_000_000),
      madeLogin(now - 2_000_000),
      madeLogin(now - 9_000),
    ]
    const { logins, site } = await record(
      young.started,
      old.started,
      old.cameBack,
      old.finished,
      middle.started,
      { ...middle.cameBack, problem: 'access-denied' },
    )
    const ids = async (filter: object) =>
      (await logins.recent(site, { ...everything, ...filter })).map(({ id }) => id)
    t.strictSame(await ids({}), [young.login, middle.login, old.login], 'newest start first')
    t.strictSame(await ids({ limit: 2 }), [young.login, middle.login])
    t.strictSame(await ids({ outcome: 'success' }), [old.login])
    t.strictSame(await ids({ outcome: 'refused' }), [middle.login])
    t.strictSame(await ids({ outcome: 'pending' }), [young.login])
    t.strictSame(await ids({ outcome: 'failed' }), [])
    for (const { requestId } of [old.started, old.cameBack, old.finished])
      t.strictSame(await ids({ requestId }), [old.login])
    t.strictSame(await ids({ requestId: 'another' }), [])
    t.strictSame(
      await ids({ since: middle.at }),
      [young.login, middle.login],
      'since includes its own moment',
    )
    t.strictSame(await ids({ until: middle.at }), [old.login], 'until excludes its own moment')
    t.strictSame(await ids({ since: old.at + 1, until: young.at }), [middle.login])
  })

  await test.test('a login that started more than a day ago is not shown', async (t) => {
    const { logins, site } = await record(madeLogin(Date.now() - 86_400_000 - 1_000).started)
    t.strictSame(await logins.recent(site, everything), [])
    t.strictSame(await logins.recent(site, { ...everything, since: 0 }), [])
  })

  await test.test('thousands of starts and invented responses push out no finished login', async (t) => {
    const real = Array.from({ length: 60 }, () => madeLogin())
    const { logins, site } = await record(...real.flatMap((one) => [one.started, one.cameBack, one.finished]))
    const stranger = madeLogin()
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 100; index++) {
        logins.record(site, madeLogin().started)
        logins.record(site, stranger.junk(round * 100 + index))
        logins.record(site, stranger.finish(3_000, { problem: 'rate-limited' }))
      }
      // As in the service, entries that were sent are stored before many more are sent.
      await logins.recent(site, everything)
    }
    const found = await logins.recent(site, { ...everything, outcome: 'success' })
    t.equal(found.length, real.length)
    t.ok(found.every(({ requests, steps }) => requests.length === 3 && steps[0]?.[0] === 'started'))
    const pending = await logins.recent(site, { limit: 10_000, outcome: 'pending' })
    t.ok(pending.length <= 700, `starts are capped: ${pending.length}`)
  })
}
