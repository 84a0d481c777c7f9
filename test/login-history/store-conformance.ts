import type { Test } from 'tap'
import { loginId, newState } from '../../src/login/login.ts'
import type { LoginEntry } from '../../src/login-history/entry.ts'
import type { LoginHistory } from '../../src/login-history/store.ts'

const everything = { limit: 200 }

/** The entries of one login; `at` is when its start came, and each further request comes a second later. */
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

/** What every LoginHistory must do; `history` gives a new or a shared one, and sites have names of their own. */
export async function runHistoryConformance(test: Test, history: () => Promise<LoginHistory>): Promise<void> {
  const recorded = async (...entries: readonly LoginEntry[]) => {
    const logins = await history()
    const site = `site_${newState().slice(0, 12)}`
    for (const entry of entries) logins.record(site, entry)
    return { logins, site }
  }

  await test.test('three requests make one login, with its steps in order', async (t) => {
    const made = madeLogin()
    const { logins, site } = await recorded(made.started, made.cameBack, made.finished)
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

  await test.test('a site sees its own logins alone', async (t) => {
    const { logins } = await recorded(madeLogin().started)
    t.strictSame(await logins.recent('site_nobody', everything), [])
  })

  await test.test('refused starts are no logins, and stand each alone', async (t) => {
    const { login: _login, start: _start, ...refused } = madeLogin().started
    const one = { ...refused, steps: [], problem: 'provider-not-allowed' }
    const { logins, site } = await recorded(one, { ...one })
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
    { name: 'never came back', entries: [made.started], outcome: 'pending', last: 'sent_to_provider' },
    {
      name: 'came back, never finished',
      entries: [made.started, made.cameBack],
      outcome: 'pending',
      last: 'came_back',
    },
    {
      name: 'refused by the person',
      entries: [made.started, { ...made.cameBack, problem: 'access-denied' }],
      outcome: 'refused',
      problem: 'access-denied',
      last: 'came_back',
    },
    {
      name: 'finished with a wrong code first, then with the right one',
      entries: [made.cameBack, made.finish(1_500, { problem: 'code-mismatch' }), made.finished],
      outcome: 'success',
      last: 'session',
    },
    {
      name: 'died at the provider; the site tried again, in vain',
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
      name: 'given back, then finished',
      entries: [
        made.cameBack,
        made.finish(1_500, { steps: [['claimed', made.at + 1_501]], problem: 'provider-unavailable' }),
        made.finished,
      ],
      outcome: 'success',
      last: 'session',
    },
    {
      name: 'a second click after the login',
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
      const { logins, site } = await recorded(...entries)
      const [login] = await logins.recent(site, everything)
      t.equal(login?.outcome, outcome)
      t.equal(login?.problem, problem)
      t.equal(login?.steps.at(-1)?.[0], last)
      t.same(
        login?.steps.map(([, at]) => at),
        login?.steps.map(([, at]) => at).toSorted((a, b) => a - b),
        'the steps go forward',
      )
    })
  }

  await test.test('a login whose start was pushed out still shows when and by which request', async (t) => {
    const { logins, site } = await recorded(made.cameBack, made.finished)
    const [login] = await logins.recent(site, everything)
    t.equal(login?.startedAt, made.at)
    t.strictSame(login?.steps[0], ['started', made.at])
    t.match(login?.requests[0], { request: 'start', requestId: made.started.requestId })
    t.equal(login?.requests.length, 3)
  })

  await test.test('filters', async (t) => {
    const now = Date.now()
    const [old, middle, young] = [
      madeLogin(now - 3_000_000),
      madeLogin(now - 2_000_000),
      madeLogin(now - 9_000),
    ]
    const { logins, site } = await recorded(
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
    t.strictSame(await ids({ since: middle.at }), [young.login, middle.login], 'since counts its own moment')
    t.strictSame(await ids({ until: middle.at }), [old.login], 'until does not')
    t.strictSame(await ids({ since: old.at + 1, until: young.at }), [middle.login])
  })

  await test.test('what started more than a day ago is not shown', async (t) => {
    const { logins, site } = await recorded(madeLogin(Date.now() - 86_400_000 - 1_000).started)
    t.strictSame(await logins.recent(site, everything), [])
    t.strictSame(await logins.recent(site, { ...everything, since: 0 }), [])
  })

  await test.test('thousands of starts and made-up answers push no real login out', async (t) => {
    const real = Array.from({ length: 60 }, () => madeLogin())
    const { logins, site } = await recorded(
      ...real.flatMap((one) => [one.started, one.cameBack, one.finished]),
    )
    const stranger = madeLogin()
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 100; index++) {
        logins.record(site, madeLogin().started)
        logins.record(site, stranger.junk(round * 100 + index))
        logins.record(site, stranger.finish(3_000, { problem: 'rate-limited' }))
      }
      // As the service: what was sent is answered before much more is.
      await logins.recent(site, everything)
    }
    const found = await logins.recent(site, { ...everything, outcome: 'success' })
    t.equal(found.length, real.length)
    t.ok(found.every(({ requests, steps }) => requests.length === 3 && steps[0]?.[0] === 'started'))
    const pending = await logins.recent(site, { limit: 10_000, outcome: 'pending' })
    t.ok(pending.length <= 700, `starts are capped: ${pending.length}`)
  })
}
