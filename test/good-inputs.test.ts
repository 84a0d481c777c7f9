import { readFile } from 'node:fs/promises'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { namesOf } from '../sandbox/doubles/index.ts'
import type { Encoding, Fields } from './support/login-flow.ts'
import { locationFields, openCallback, post, text } from './support/login-flow.ts'
import { registerSite, startTestService } from './support/service.ts'

// Whole logins that must succeed: a service that refuses everything must fail the tests.
const Step = Type.Object({
  path: Type.String(),
  contentType: Type.String(),
  extra: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  order: Type.Optional(Type.Array(Type.String())),
})
const GoodInput = Type.Object({
  name: Type.String(),
  why: Type.String(),
  provider: Type.String(),
  registered: Type.String(),
  start: Step,
  providerCode: Type.String(),
  callbackExtra: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  finish: Step,
  expectStatus: Type.Number(),
})
const inputs = Value.Parse(
  Type.Array(GoodInput),
  JSON.parse(await readFile(new URL('fixtures/good-inputs.json', import.meta.url), 'utf8')),
)

const encodingOf = (contentType: string): Encoding =>
  contentType.startsWith('multipart/')
    ? 'multipart'
    : contentType === 'application/json'
      ? 'json'
      : 'urlencoded'

const service = await startTestService(t)
const registered = new Set<string>(['https://client.example/oauth/return'])

const names = namesOf(service.doubles)
const [guide] = inputs
/** The guide to the letter, for each provider that the table leaves out. */
const others = names
  .filter((provider) => !inputs.some((input) => input.provider === provider))
  .flatMap((provider) => (guide ? [{ ...guide, name: `guide-${provider}`, provider }] : []))
t.ok(others.length >= 5)

for (const input of [...inputs, ...others]) {
  await t.test(`${input.name}: ${input.why}`, async (t) => {
    const double = service.doubles[names.find((name) => name === input.provider) ?? 'yandex']
    t.equal(double.name, input.provider)
    if (!registered.has(input.registered)) {
      await registerSite(service.database, input.registered)
      registered.add(input.registered)
    }
    const sent = (step: typeof input.start, fields: Fields) =>
      post(service, step.path, [...fields, ...step.extra], {
        encoding: encodingOf(step.contentType),
        contentType: step.contentType,
      })

    const started = await sent(input.start, [
      ['provider', input.provider],
      ['client_redirect_url', input.registered],
    ])
    t.equal(started.status, 200, started.text)
    t.strictSame(Object.keys(started.json).toSorted(), ['authorize_url', 'state'])

    const issuer = double.env.GOOGLE_ISSUER ?? ''
    const extra = input.callbackExtra.map(
      ([name, value]) => [name, value.replace('{{issuer}}', issuer)] as const,
    )
    const callbackUrl = await double.consent(text(started, 'authorize_url'), {
      code: input.providerCode,
      extra,
    })
    const back = await openCallback(service, callbackUrl)
    t.equal(back.status, 303, back.text)
    const location = back.headers.get('location') ?? ''
    t.ok(location.startsWith(input.registered), 'the registered URL goes first, raw')
    const own = new URL(input.registered).searchParams
    const returned = locationFields(back).filter(([name]) => !own.has(name))
    t.strictSame(returned, [
      ['provider', input.provider],
      ['state', text(started, 'state')],
      ['code', input.providerCode],
    ])

    const ordered =
      input.finish.order?.map((name) => returned.find(([one]) => one === name) ?? [name, '']) ?? returned
    const finished = await sent(
      input.finish,
      ordered.map(([name = '', value = '']) => [name, value] as const),
    )
    t.equal(finished.status, input.expectStatus, finished.text)
    t.match(finished.json, {
      access_token: /^ey/,
      refresh_token: /^ey/,
      token_type: 'Bearer',
      expires_in: 900,
    })
    t.equal(finished.headers.get('cache-control'), 'no-store')
  })
}
