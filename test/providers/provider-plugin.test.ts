import Fastify from 'fastify'
import t from 'tap'
import { yandex } from '../../plugins/yandex.ts'
import { startYandexDouble } from '../../sandbox/doubles/yandex.ts'
import { normalizeProfile } from '../../src/providers/profile.ts'
import { providerPlugin } from '../../src/providers/provider-plugin.ts'
import { createProviderRegistry } from '../../src/providers/registry.ts'
import { ownValue } from '../../src/providers/settings.ts'
import { consented, failureOf, identify, redirectUri, serve, shortTimeouts } from './provider-setup.ts'

await t.test('a provider that differs in everything needs only its own file', async (t) => {
  const double = await startYandexDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const issuer = { suffix: 'ISSUER', default: 'https://one.example', meaning: 'Its name' }
  const own = providerPlugin({
    name: 'one',
    title: { ru: 'Один', en: 'One' },
    jurisdiction: 'other',
    gives: ['name'],
    callbackMethod: 'POST',
    callbackParameters: { device_id: 'required' },
    defaults: {
      authorizeUrl: `${double.origin}/authorize`,
      tokenUrl: `${double.origin}/token`,
      userinfoUrl: `${double.origin}/info`,
      scope: '',
      tokenAuth: 'body',
    },
    variables: [issuer],
    issuer: (settings) => ownValue(settings, issuer),
    adapter: (client) => ({
      authorizeUrl: (request) => client.authorizeUrl(request, { display: 'page' }),
      async identify(grant, signal) {
        const { accessToken } = await client.exchange(grant, signal)
        const headers = {
          authorization: `OAuth ${accessToken}`,
          'x-device': grant.callbackParameters.device_id ?? 'none',
        }
        const person = await client.profile({ accessToken, headers }, signal)
        return normalizeProfile({ subject: person.id, name: [], login: [], email: [] })
      },
    }),
  })
  const env = {
    ONE_CLIENT_ID: double.env.YANDEX_CLIENT_ID ?? '',
    ONE_CLIENT_SECRET: double.env.YANDEX_CLIENT_SECRET ?? '',
  }
  const served = await serve(t, own, double, { env })
  t.match(served.adapter, {
    name: 'one',
    callbackMethod: 'POST',
    callbackParameters: { device_id: 'required' },
    issuer: 'https://one.example',
    jurisdiction: 'other',
    gives: ['name'],
  })
  const grant = await consented(served, double, { person: { id: '7' } })
  t.equal((await identify(served, { ...grant, callbackParameters: { device_id: 'phone' } })).subject, '7')
  t.equal(double.requests.at(-1)?.headers['x-device'], 'phone')
})

await t.test('only a ProviderFailure leaves an adapter', async (t) => {
  const broken = providerPlugin({
    name: 'one',
    title: { ru: 'Один', en: 'One' },
    jurisdiction: 'other',
    gives: ['name'],
    defaults: {
      authorizeUrl: 'https://one.example/',
      tokenUrl: 'https://one.example/',
      userinfoUrl: 'https://one.example/',
      scope: '',
      tokenAuth: 'body',
    },
    variables: [],
    adapter: () => ({
      authorizeUrl: () => new URL('https://one.example/'),
      identify: async () => {
        throw new TypeError('a bug')
      },
    }),
  })
  const double = await startYandexDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, broken, double, { env: { ONE_CLIENT_ID: 'a', ONE_CLIENT_SECRET: 'b' } })
  const failure = await failureOf(
    identify(served, { code: 'c', redirectUri, state: 's', nonce: 'n', callbackParameters: {} }),
  )
  t.match(failure, { kind: 'invalid_response', codeUnspent: false, cause: TypeError })
})

await t.test('a variable of one provider has its default if no value is given', async (t) => {
  const variable = { suffix: 'ISSUER', default: 'https://one.example', meaning: 'Its name' }
  t.equal(ownValue({ own: {} }, variable), 'https://one.example')
  t.equal(ownValue({ own: { ISSUER: 'https://other.example' } }, variable), 'https://other.example')
})

await t.test('a provider that hangs opens its circuit; junk codes do not', async (t) => {
  const double = await startYandexDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const served = await serve(t, yandex, double, {
    timeouts: shortTimeouts,
    guard: { pause: 400 },
  })
  const finish = (code: string) =>
    served.guard.execute(() =>
      identify(served, { code, redirectUri, state: 's', nonce: 'n', callbackParameters: {} }),
    )
  for (let junk = 0; junk < 20; junk++) t.match(await failureOf(finish('junk')), { kind: 'invalid_grant' })
  t.equal(served.guard.state, 'closed')

  double.fault('token', 'hang')
  await Promise.all(Array.from({ length: 5 }, () => failureOf(finish('any'))))
  t.equal(served.guard.state, 'open')
  const before = double.requests.length
  t.match(await failureOf(finish('any')), { kind: 'unavailable', codeUnspent: true })
  t.equal(double.requests.length, before, 'nothing is sent any more')

  double.fault('token', undefined)
  await new Promise((resolve) => setTimeout(resolve, 450))
  const grant = await consented(served, double)
  t.ok(await served.guard.execute(() => identify(served, grant)))
  t.strictSame(served.states, ['open', 'half-open', 'closed'])
})

await t.test("closing the application ends the provider's connections and hanging requests", async (t) => {
  const double = await startYandexDouble({ redirectUris: [redirectUri] })
  t.teardown(() => double.close())
  const { settings } = await serve(t, yandex, double)
  const registry = createProviderRegistry()
  const app = Fastify()
  await app.register(yandex.plugin, {
    settings,
    registry,
    callbackRoute: () => ({ method: 'GET', url: '/callback', handler: async () => '' }),
  })
  const adapter = registry.get('yandex')?.adapter
  if (adapter === undefined) throw new Error('not registered')
  double.fault('token', 'hang')
  const hanging = failureOf(
    identify({ adapter }, { code: 'c', redirectUri, state: 's', nonce: 'n', callbackParameters: {} }),
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  const started = performance.now()
  await app.close()
  t.match(await hanging, { kind: 'unavailable', codeUnspent: false })
  t.ok(performance.now() - started < 1500)
})
