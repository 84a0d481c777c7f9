import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Test } from 'tap'
import t from 'tap'
import { createHttpClient } from '../../src/providers/http-client.ts'
import { createOAuthClient } from '../../src/providers/oauth-client.ts'
import type { AuthorizationGrant } from '../../src/providers/provider.ts'
import type { ProviderSettings } from '../../src/providers/settings.ts'
import { listenOnLoopback } from '../support/process.ts'
import { failureOf } from './provider-setup.ts'

const grant: AuthorizationGrant = {
  state: 'the-state',
  code: 'c+o/d e=1',
  redirectUri: 'https://login.example/callback?a=b',
  nonce: 'n',
  codeVerifier: 'v'.repeat(43),
  callbackParameters: {},
}

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly url: string
  readonly body: string
}

/** A provider with the given responses, and a client for it. */
async function setUp(
  t: Test,
  answer: (response: ServerResponse) => void,
  changes: Partial<ProviderSettings> = {},
) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      received.push({ headers: request.headers, url: request.url ?? '', body })
      answer(response)
    })
  })
  const origin = `http://127.0.0.1:${await listenOnLoopback(server)}`
  const settings: ProviderSettings = {
    clientId: 'id',
    clientSecret: 'secret-of-ours',
    authorizeUrl: `${origin}/authorize`,
    tokenUrl: `${origin}/token?api=2`,
    userinfoUrl: `${origin}/me?fields=all`,
    scope: 'one two',
    pkce: true,
    tokenAuth: 'basic',
    own: {},
    ...changes,
  }
  const http = createHttpClient({
    provider: 'one',
    timeouts: { connect: 300, response: 300 },
    connections: 5,
  })
  t.teardown(async () => {
    await http.close()
    server.close()
  })
  const client = createOAuthClient({
    provider: 'one',
    settings,
    http,
    tokenErrors: { 'no such code': 'invalid_grant' },
  })
  return { client, received, exchange: () => client.exchange(grant, AbortSignal.timeout(2_000)) }
}

const refuseWith =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, headers).end(JSON.stringify(body))
  }

await t.test('credentials are form-encoded before Base64 (RFC 6749 §2.3.1)', async (t) => {
  const { exchange, received } = await setUp(t, refuseWith(200, { access_token: 'a' }), {
    clientId: 'id:with colon',
    clientSecret: 'p%s+s&ё',
  })
  t.equal((await exchange()).accessToken, 'a')
  const [, encoded = ''] = /^Basic (.+)$/.exec(received[0]?.headers.authorization ?? '') ?? []
  t.equal(Buffer.from(encoded, 'base64').toString(), 'id%3Awith+colon:p%25s%2Bs%26%D1%91')
  const form = new URLSearchParams(received[0]?.body)
  t.equal(form.get('code'), grant.code)
  t.equal(form.get('redirect_uri'), grant.redirectUri)
  t.equal(received[0]?.url, '/token?api=2', 'the query of the configured address stays')
})

await t.test('an empty scope is left out of the authorization URL', async (t) => {
  const { client } = await setUp(t, () => {}, { scope: '' })
  const request = { state: 's', redirectUri: 'https://login.example/', nonce: 'n' }
  t.equal(client.authorizeUrl(request).searchParams.has('scope'), false)
  t.equal(client.authorizeUrl(request, { hint: 'a&b', none: undefined }).searchParams.get('hint'), 'a&b')
  t.equal(client.authorizeUrl(request, { none: undefined }).searchParams.has('none'), false)
})

await t.test('each error response has its kind of failure', async (t) => {
  for (const [status, error, kind] of [
    [400, 'invalid_grant', 'invalid_grant'],
    [401, 'invalid_grant', 'invalid_grant'],
    [200, 'invalid_grant', 'invalid_grant'],
    [200, 'no such code', 'invalid_grant'],
    [400, 'invalid_client', 'misconfigured'],
    [401, 'anything at all', 'misconfigured'],
    [400, 'unauthorized_client', 'misconfigured'],
    [400, 'unsupported_grant_type', 'misconfigured'],
    [400, 'invalid_scope', 'misconfigured'],
    [400, 'invalid_request', 'invalid_response'],
    [400, 'constructor', 'invalid_response'],
    [400, 'toString', 'invalid_response'],
    [403, undefined, 'invalid_response'],
    [400, 'temporarily_unavailable', 'unavailable'],
    [200, 'server_error', 'unavailable'],
    [503, 'invalid_grant', 'unavailable'],
  ] as const) {
    const { exchange } = await setUp(t, refuseWith(status, { error, error_description: 'words' }))
    const failure = await failureOf(exchange())
    const codeRefused = kind === 'invalid_grant' || kind === 'invalid_response'
    t.match(failure, { kind, codeUnspent: false, codeRefused }, `${status} ${error}`)
  }
  for (const [status, body, codeRefused] of [
    [200, { access_token: '' }, false],
    [200, [], false],
    [307, [], false],
    [404, [], true],
    [429, {}, false],
    [500, [], false],
  ] as const) {
    const { exchange } = await setUp(t, refuseWith(status, body))
    t.match(await failureOf(exchange()), { codeRefused }, `${status}`)
  }
  const { client } = await setUp(t, refuseWith(400, { error: 'invalid_request' }))
  const ofProfile = await failureOf(client.profile({ accessToken: 'a' }, AbortSignal.timeout(2_000)))
  t.match(ofProfile, { codeRefused: false }, 'the code was good')
})

await t.test('Retry-After is read as seconds or a date, from 1 to 60', async (t) => {
  for (const [header, seconds] of [
    ['7', 7],
    ['0', 1],
    ['3600', 60],
    [new Date(Date.now() + 20_500).toUTCString(), 20],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 1],
    ['soon', undefined],
    ['-5', undefined],
    ['', undefined],
  ] as const) {
    const { exchange } = await setUp(t, refuseWith(429, {}, { 'retry-after': header }))
    const failure = await failureOf(exchange())
    t.match(failure, { kind: 'rate_limited', codeUnspent: true })
    const { retryAfter } = failure
    if (seconds === undefined || retryAfter === undefined) t.equal(retryAfter, seconds)
    else t.ok(Math.abs(retryAfter - seconds) <= 1, header)
  }
})

await t.test('secrets that the provider echoes are removed from the text for the log', async (t) => {
  const echo = `bad ${grant.code} ${encodeURIComponent(grant.code)} ${grant.codeVerifier} secret-of-ours\nFORGED LINE`
  const { exchange } = await setUp(t, refuseWith(400, { error: 'invalid_grant', error_description: echo }))
  const { message } = await failureOf(exchange())
  t.match(message, /invalid_grant, bad \[removed\] \[removed\] \[removed\] \[removed\] FORGED LINE/)
  const long = await setUp(t, refuseWith(400, { error: 'x'.repeat(100_000) }))
  t.ok((await failureOf(long.exchange())).message.length < 300)
})

await t.test(
  'a failed profile request says nothing about the code, and its error contains no token',
  async (t) => {
    const { client, received } = await setUp(t, refuseWith(200, { id: 1 }))
    const signal = AbortSignal.timeout(2_000)
    await client.profile({ accessToken: 'to ken', query: { access_token: 'to ken' } }, signal)
    t.equal(received[0]?.url, '/me?fields=all&access_token=to+ken')
    const refusing = await setUp(
      t,
      refuseWith(403, { error: 'invalid_grant', error_description: 'token to-ken?' }),
    )
    const failure = await failureOf(refusing.client.profile({ accessToken: 'to-ken' }, signal))
    t.match(
      failure,
      { kind: 'invalid_response', codeUnspent: false },
      'not invalid_grant, because the code was good',
    )
    t.notMatch(failure.message, /to-ken/)
    t.notMatch(failure.message, /fields/, 'the error contains no query of a URL')
    const busy = await setUp(t, refuseWith(429, {}, { 'retry-after': '9' }))
    const limited = await failureOf(busy.client.profile({ accessToken: 'a' }, signal))
    t.match(limited, { kind: 'rate_limited', codeUnspent: false, retryAfter: 9 })
    t.equal(busy.received.length, 1, 'after a 429 there is no second request')
  },
)
