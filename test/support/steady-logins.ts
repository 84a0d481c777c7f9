import { setTimeout as sleep } from 'node:timers/promises'
import type t from 'tap'
import type { Answer } from './login-flow.ts'
import { basic, finish, locationFields, openCallback, post, text } from './login-flow.ts'
import { eventually } from './process.ts'
import type { TestService } from './service.ts'
import { redirectUrl } from './service.ts'

type Test = Pick<typeof t, 'teardown' | 'strictSame' | 'ok' | 'comment'>

/** A whole login, or the request at which it failed. Times are milliseconds of `performance.now()`. */
export interface SteadyLogin {
  readonly at: number
  /** The last request. */
  readonly step: 'start' | 'callback' | 'finish'
  readonly answer: Answer
  /** How long the last request took. */
  readonly took: number
}

/** Milliseconds: each request's deadline, with a margin for a busy machine. */
const maxDuration = { start: 2_500, callback: 1_500, finish: 10_500 } as const

/** Logs people in, `perSecond` times per second, until `stop()` (or the end of `test`), which returns all logins. */
export function startSteadyLogins(test: Test, service: TestService, perSecond: number) {
  const running = new Set<Promise<void>>()
  const logins: SteadyLogin[] = []
  const failures: unknown[] = []
  const one = async () => {
    try {
      logins.push(await logIn(service))
    } catch (error) {
      failures.push(error)
    }
  }
  const timer = setInterval(() => {
    const login = one().finally(() => running.delete(login))
    running.add(login)
  }, 1_000 / perSecond)
  const ended = async () => {
    clearInterval(timer)
    await Promise.all(running)
  }
  test.teardown(ended)
  return {
    /** All logins that have ended so far, in the order of their ends. */
    logins: logins as readonly SteadyLogin[],
    /** @throws if a request got no response at all */
    async stop(): Promise<readonly SteadyLogin[]> {
      await ended()
      if (failures.length > 0) throw failures[0]
      return logins
    },
  }
}

async function logIn(service: TestService): Promise<SteadyLogin> {
  const at = performance.now()
  let asked = at
  const ended = (step: SteadyLogin['step'], answer: Answer): SteadyLogin => ({
    at,
    step,
    answer,
    took: performance.now() - asked,
  })
  // The site authenticates: an authenticated site may start more logins per minute than this test does.
  const headers = basic(service.site)
  const form = { provider: 'yandex', client_redirect_url: redirectUrl }
  const started = await post(service, '/api/v1/oauth/authorize-url/', form, { headers })
  if (started.status !== 200) return ended('start', started)
  const callbackUrl = await service.doubles.yandex.consent(text(started, 'authorize_url'))
  asked = performance.now()
  const back = await openCallback(service, callbackUrl)
  if (back.status !== 303) return ended('callback', back)
  asked = performance.now()
  return ended('finish', await finish(service, locationFields(back), headers))
}

/** Whether the person was logged in. */
export function succeeded({ step, answer }: SteadyLogin): boolean {
  return step === 'finish' && answer.status === 200
}

/**
 * What is wrong with the end of a login, if anything. Correct ends are: logged in; 503 with Retry-After; and 400 for a login
 * whose record the old master had not replicated, or whose claim it did not acknowledge.
 */
export function flawOf(login: SteadyLogin): string | undefined {
  const { step, answer, took } = login
  if (took > maxDuration[step]) return describeLogin(login)
  if (succeeded(login)) return undefined
  const type = String(answer.json.type)
  if (answer.status === 503 && type.endsWith(':dependency-unavailable'))
    return /^[1-9]\d*$/.test(answer.headers.get('retry-after') ?? '') ? undefined : describeLogin(login)
  if (answer.status === 400 && /:(unknown-login|login-completed|login-lost|no-answer)$/.test(type))
    return undefined
  return describeLogin(login)
}

function describeLogin({ step, answer, took }: SteadyLogin): string {
  return `${step}: ${answer.status} ${answer.text} after ${Math.round(took)} ms`
}

/** Milliseconds from the election of a new master until logins must be good again. */
export const goodWithin = 10_000

/**
 * Causes a failover while people log in. Requires that nothing fails except what the loss of a master may cost, that logins
 * succeed again in time, and that they keep succeeding.
 * @param failOver resolves when the new master is elected
 */
export async function expectGoodAfter(
  test: Test,
  service: TestService,
  failOver: () => Promise<void>,
): Promise<void> {
  const load = startSteadyLogins(test, service, 15)
  await eventually(() => {
    if (load.logins.filter(succeeded).length < 10) throw new Error('no load yet')
  })
  await failOver()
  const elected = performance.now()
  // In a cluster a third of the logins may still fail: good means twenty, one after the other.
  const began = await eventually(() => {
    const later = load.logins.filter(({ at }) => at > elected).toSorted((one, other) => one.at - other.at)
    const good = later.slice(later.findLastIndex((login) => !succeeded(login)) + 1)
    if (good[0] === undefined || good.length < 20) {
      const refused = later.filter((login) => !succeeded(login))
      throw new Error(
        `${refused.length} of ${later.length} logins fail: ${refused.slice(-1).map(describeLogin).join('')}`,
      )
    }
    return good[0].at
  }, goodWithin + 2_000)
  test.comment(`good again ${Math.round(began - elected)} ms after the election`)
  test.ok(began - elected < goodWithin, `good again ${Math.round(began - elected)} ms after the election`)
  await sleep(2_000)
  const logins = await load.stop()
  test.strictSame(logins.map(flawOf).filter(Boolean), [], 'no login is lost in a wrong way')
  const later = logins.filter(({ at }) => at >= began)
  test.strictSame(
    later.filter((login) => !succeeded(login)).map(({ answer }) => answer.text),
    [],
    'good for all',
  )
}
