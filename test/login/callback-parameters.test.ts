import type { FastifyBaseLogger } from 'fastify'
import Fastify from 'fastify'
import { pino } from 'pino'
import type { Test } from 'tap'
import t from 'tap'
import { deadlines } from '../../src/deadlines.ts'
import { forms } from '../../src/http/bodies.ts'
import { noRateLimits } from '../../src/http/rate-limit.ts'
import { callbackRoute } from '../../src/login/callback-route.ts'
import { newState } from '../../src/login/login.ts'
import { createMemoryLoginStore } from '../../src/login/memory-login-store.ts'
import { createMemoryLoginHistory } from '../../src/login-history/memory-store.ts'
import { trackRequests } from '../../src/login-history/progress.ts'
import type { ProviderAdapter } from '../../src/providers/provider.ts'
import type { Site } from '../../src/sites/site.ts'

const site: Site = {
  id: 'site-1',
  name: 'A site',
  redirectUrls: ['https://client.example/return'],
  providers: ['one'],
  requireSecret: false,
  disabled: false,
  secretHashes: [],
  postLogoutRedirectUrls: [],
  native: false,
  idTokenAlg: 'RS256',
  limitFactor: 1,
}

/** The callback of a provider that sends `device_id`, which its exchange needs, and `locale`, which it does not. */
async function serveCallback(t: Test) {
  const adapter: ProviderAdapter = {
    name: 'one',
    title: { ru: 'Один', en: 'One' },
    jurisdiction: 'other',
    gives: [],
    denials: ['left'],
    isUsableParameter: (_name, value) => value !== 'no-phone',
    callbackMethod: 'GET',
    callbackParameters: { device_id: 'required', locale: 'optional' },
    pkce: true,
    authorizeUrl: () => new URL('https://provider.example/'),
    identify: async () => ({ subject: '1', name: null, login: null, email: null, emailVerified: null }),
  }
  const lines: string[] = []
  const log: FastifyBaseLogger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const app = Fastify({ loggerInstance: log, disableRequestLogging: true })
  t.teardown(() => app.close())
  const logins = createMemoryLoginStore()
  const translate = () => undefined
  const sites = {
    byId: async () => site,
    byRedirectUrl: async () => site,
    urlsOfHost: async () => site.redirectUrls,
  }
  app.decorate('translate', translate)
  await app.register(forms)
  app.route(
    callbackRoute(adapter, {
      services: { logins, sites, limits: noRateLimits },
      track: trackRequests({ history: createMemoryLoginHistory(), translate, onStep: () => {} }),
      publicUrl: 'https://login.example',
      deadlines,
    }),
  )
  return {
    lines,
    logins,
    begin: async () => {
      const state = newState()
      const [redirectUrl = ''] = site.redirectUrls
      const now = Date.now()
      const login = {
        provider: 'one',
        siteId: site.id,
        redirectUrl,
        nonce: 'n',
        startedAt: now,
        answerBy: now + 60_000,
      }
      await logins.start(state, login, 60)
      return state
    },
    callBack: async (query: Record<string, string>) => {
      const { headers, statusCode } = await app.inject({ url: '/api/v1/oauth/callback/one', query })
      t.equal(statusCode, 303)
      return new URL(headers.location ?? '').searchParams
    },
  }
}

t.test(
  'a code without a callback parameter that the exchange needs is recorded as server_error',
  async (t) => {
    const { lines, logins, begin, callBack } = await serveCallback(t)
    for (const device of [{}, { device_id: '' }]) {
      const state = await begin()
      const sent = await callBack({ state, code: 'the-code', ...device })
      t.equal(sent.get('error'), 'server_error')
      t.equal(sent.get('code'), null)
      t.match(await logins.find(state), { response: { kind: 'error', error: 'server_error' } })
      const line = lines.find((one) => one.includes('device_id')) ?? '{}'
      t.match(JSON.parse(line), { level: 40, provider: 'one', parameter: 'device_id' })
      t.notMatch(lines.join(), 'the-code')
      lines.length = 0
      t.equal(
        (await callBack({ state, code: 'the-code', device_id: 'phone' })).get('code'),
        'the-code',
        'a complete response may follow',
      )
    }
  },
)

t.test(
  'a value that is too long or of a wrong form counts as missing, and is told to the log by its name',
  async (t) => {
    const { lines, logins, begin, callBack } = await serveCallback(t)
    const long = 'x'.repeat(4_097)
    const state = await begin()
    const sent = await callBack({ state, code: 'c', device_id: 'phone', locale: long })
    t.equal(sent.get('code'), 'c', 'an optional one is left out')
    const found = await logins.find(state)
    t.strictSame(found?.response?.kind === 'code' && found.response.kept, { device_id: 'phone' })
    t.match(JSON.parse(lines.join()), { level: 40, provider: 'one', parameter: 'locale' })
    for (const device_id of [long, 'no-phone']) {
      const refused = await callBack({ state: await begin(), code: 'c', device_id })
      t.equal(refused.get('error'), 'server_error', 'without a required one there is no login')
    }
    t.notMatch(lines.join(), /xxxx|no-phone/)
  },
)

t.test('what a provider repeats of them beside an error does not reach the log', async (t) => {
  const { lines, begin, callBack } = await serveCallback(t)
  const state = await begin()
  const device_id = 'the-device-of-a-person'
  const error_description = `no ${device_id} for ${state}`
  const sent = await callBack({ state, error: 'left', error_description, device_id })
  t.equal(sent.get('error'), 'access_denied', 'a word of its own for a denial')
  t.match(JSON.parse(lines.join()), { error: 'left', description: 'no [removed] for [removed]' })
})

t.test(
  'the callback parameters of the exchange are recorded with the code, and an optional one may be missing',
  async (t) => {
    const { lines, logins, begin, callBack } = await serveCallback(t)
    for (const kept of [{ device_id: 'phone' }, { device_id: 'phone', locale: 'ru' }]) {
      const state = await begin()
      t.equal((await callBack({ state, code: 'c', ...kept, more: 'x' })).get('code'), 'c')
      const found = await logins.find(state)
      t.strictSame(found?.response?.kind === 'code' && found.response.kept, kept)
    }
    const state = await begin()
    t.equal(
      (await callBack({ state, error: 'access_denied' })).get('error'),
      'access_denied',
      'an error needs no callback parameter',
    )
    t.notMatch(lines.join(), 'device_id')
  },
)
