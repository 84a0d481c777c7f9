import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { GuardOptions, GuardState } from '../../src/providers/guard.ts'
import { createGuard } from '../../src/providers/guard.ts'
import type { ProviderFailureKind } from '../../src/providers/provider.ts'
import { ProviderFailure } from '../../src/providers/provider.ts'
import { failureOf } from './provider-setup.ts'

const guarded = (options: Partial<GuardOptions> = {}) => {
  const states: GuardState[] = []
  const guard = createGuard({ provider: 'one', onStateChange: (state) => states.push(state), ...options })
  const fail = (kind: ProviderFailureKind, retryAfter?: number) =>
    failureOf(
      guard.execute(async () => {
        throw new ProviderFailure(kind, 'as told', retryAfter === undefined ? {} : { retryAfter })
      }),
    )
  const open = async () => {
    for (let fault = 0; fault < 5; fault++) await fail('unavailable')
  }
  return { guard, states, fail, open }
}

await t.test('passes on what comes and what is thrown', async (t) => {
  const { guard } = guarded()
  t.equal(await guard.execute(async () => 'answer'), 'answer')
  const bug = new Error('not a failure of the provider')
  await t.rejects(
    guard.execute(async () => {
      throw bug
    }),
    bug,
  )
  t.strictSame(guard.admitsStart(), { admitted: true })
})

for (const kind of ['unavailable', 'timeout'] as const)
  await t.test(`${kind}: five in a row open the circuit, however slowly they come`, async (t) => {
    const { guard, states, fail } = guarded()
    for (let fault = 0; fault < 4; fault++) await fail(kind)
    await guard.execute(async () => 'a success starts the count again')
    for (let fault = 0; fault < 4; fault++) await fail(kind)
    t.equal(guard.state, 'closed')
    await fail(kind)
    t.equal(guard.state, 'open')
    t.equal(guard.works, false)
    t.strictSame(states, ['open'])
    const refused = await failureOf(guard.execute(async () => t.fail('must not run')))
    t.match(refused, { kind: 'unavailable', codeUnspent: true, retryAfter: 10 })
    t.strictSame(guard.admitsStart(), { admitted: false, retryAfter: 10 })
  })

for (const kind of ['invalid_grant', 'invalid_response', 'misconfigured'] as const)
  await t.test(`${kind} opens nothing`, async (t) => {
    const { guard, fail } = guarded()
    for (let time = 0; time < 100; time++) t.equal((await fail(kind)).kind, kind)
    t.equal(guard.state, 'closed')
    t.equal(guard.works, true)
  })

await t.test('after the pause one start, then one finish tries it out', async (t) => {
  const { guard, states, open } = guarded({ pause: 200 })
  await open()
  t.match(guard.admitsStart(), { admitted: false, retryAfter: 1 })
  await sleep(220)
  t.equal(guard.state, 'half-open', 'although nobody has called execute()')
  t.equal(guard.works, true, 'a site that hid its button offers it again, or nobody would ever try')
  t.equal(guard.works, true, 'asking takes nobody’s turn')
  t.strictSame(guard.admitsStart(), { admitted: true })
  t.equal(guard.works, false)
  t.match(guard.admitsStart(), { admitted: false }, 'one a pause')
  await sleep(220)
  t.strictSame(guard.admitsStart(), { admitted: true }, 'a trial that never came back locks nobody out')

  const { promise, resolve } = Promise.withResolvers<string>()
  const trial = guard.execute(() => promise)
  const other = await failureOf(guard.execute(async () => t.fail('must not run')))
  t.match(other, { kind: 'unavailable', codeUnspent: true }, 'nobody waits for the trial')
  resolve('works')
  t.equal(await trial, 'works')
  t.equal(guard.state, 'closed')
  t.strictSame(states, ['open', 'half-open', 'closed'])
  t.strictSame(guard.admitsStart(), { admitted: true })
})

await t.test('trials that nobody finishes keep everybody off for six pauses, and no longer', async (t) => {
  const { guard, open } = guarded({ pause: 50 })
  await open()
  let admitted = 0
  const until = performance.now() + 280
  while (performance.now() < until) {
    if (guard.admitsStart().admitted) admitted += 1
    await sleep(5)
  }
  t.ok(admitted <= 6, 'at most one a pause')
  await sleep(350 - 280)
  for (let start = 0; start < 10; start++) t.strictSame(guard.admitsStart(), { admitted: true })
})

await t.test('a failed trial opens it again, for a whole pause', async (t) => {
  const { guard, states, fail, open } = guarded({ pause: 200 })
  await open()
  await sleep(220)
  t.equal((await fail('timeout')).codeUnspent, false, 'it was run')
  t.equal(guard.state, 'open')
  t.match(guard.admitsStart(), { admitted: false })
  t.strictSame(states, ['open', 'half-open', 'open'])
})

await t.test('the cap refuses what it cannot run, and counts nothing against the provider', async (t) => {
  const { guard } = guarded({ concurrency: 2 })
  const { promise, resolve } = Promise.withResolvers<string>()
  const running = [guard.execute(() => promise), guard.execute(() => promise)]
  for (let more = 0; more < 20; more++)
    t.match(await failureOf(guard.execute(async () => t.fail('must not run'))), {
      kind: 'unavailable',
      codeUnspent: true,
      retryAfter: 1,
    })
  t.equal(guard.state, 'closed')
  resolve('done')
  t.strictSame(await Promise.all(running), ['done', 'done'])
  t.equal(await guard.execute(async () => 'room again'), 'room again')
})

await t.test('429 keeps everybody off for as long as it says', async (t) => {
  const { guard, fail } = guarded()
  t.equal((await fail('rate_limited', 30)).retryAfter, 30)
  t.equal(guard.state, 'closed', 'its circuit is another matter')
  t.equal(guard.works, false)
  t.strictSame(guard.admitsStart(), { admitted: false, retryAfter: 30 })
  const refused = await failureOf(guard.execute(async () => t.fail('must not run')))
  t.match(refused, { kind: 'rate_limited', codeUnspent: true, retryAfter: 30 })
})

await t.test('429 without a time, and its end', async (t) => {
  const { guard, fail } = guarded()
  await fail('rate_limited')
  t.strictSame(guard.admitsStart(), { admitted: false, retryAfter: 5 })
  const short = guarded()
  await short.fail('rate_limited', 0.05)
  await sleep(60)
  t.strictSame(short.guard.admitsStart(), { admitted: true })
  t.equal(await short.guard.execute(async () => 'again'), 'again')
})

await t.test('reset closes an open circuit, ends a back-off, and counts faults from nothing', async (t) => {
  const { guard, fail, open } = guarded()
  await open()
  guard.reset()
  t.equal(guard.state, 'closed')
  t.strictSame(guard.admitsStart(), { admitted: true })
  for (let fault = 0; fault < 4; fault++) await fail('unavailable')
  t.equal(guard.state, 'closed')
  await fail('rate_limited', 30)
  t.equal(guard.works, false)
  guard.reset()
  t.equal(guard.works, true)
  t.equal(await guard.execute(async () => 'answer'), 'answer')
})
