import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
} from 'node:crypto'
import t from 'tap'
import { createKeySeal } from '../../src/keys/seal.ts'
import { issueAccessToken, verifyAccessToken } from '../../src/tokens/access-token.ts'
import { issueRefreshToken, verifyRefreshToken } from '../../src/tokens/refresh-token.ts'
import { settings, testKeys } from '../keys/test-keys.ts'
import { testDatabase } from '../support/database.ts'

const database = await testDatabase(t)
const keys = await testKeys(t, { database })
const { kid, publicJwk } = keys.active('access')
const seal = createKeySeal(settings.secretKeys)
const { rows } = await database.pool.query<{ kind: string; kid: string; sealed_secret: Buffer }>(
  'SELECT kind, kid, sealed_secret FROM signing_keys',
)
const secretOf = (kind: string) => {
  const row = rows.find((candidate) => candidate.kind === kind)
  const secret = row && seal.open(row.sealed_secret, `${kind}:${row.kid}`)
  if (secret === undefined) throw new Error('The test opens its own keys.')
  return secret
}
const privateKey = createPrivateKey(secretOf('access').toString())
const publicKey = createPublicKey(privateKey)
const foreign = generateKeyPairSync('ed25519')

const now = Math.floor(keys.now() / 1000)
const header = { alg: 'EdDSA', typ: 'at+jwt', kid }
const claims = {
  iss: settings.publicUrl,
  sub: '0199c0de-0000-7000-8000-000000000001',
  aud: ['site-1', settings.publicUrl],
  client_id: 'site-1',
  iat: now,
  exp: now + 900,
  jti: randomUUID(),
  sid: '0199c0de-0000-7000-8000-000000000002',
}
const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const input = (head: unknown, body: unknown) => `${base64(head)}.${base64(body)}`

/** Signs any header and claims by the service's own key. */
const signed = (head: unknown = header, body: unknown = claims, key = privateKey) =>
  `${input(head, body)}.${sign(null, Buffer.from(input(head, body)), key).toString('base64url')}`
const hmac = (secret: string | Buffer, head: unknown = { ...header, alg: 'HS256' }, body: unknown = claims) =>
  `${input(head, body)}.${createHmac('sha256', secret).update(input(head, body)).digest('base64url')}`
const without = (name: string, from: object = claims) =>
  Object.fromEntries(Object.entries(from).filter(([key]) => key !== name))

t.test('a token that these tests sign without a flaw is accepted', async (t) => {
  t.match(verifyAccessToken(keys, signed()), { sub: claims.sub, client_id: 'site-1' })
  t.match(verifyAccessToken(keys, signed({ ...header, typ: 'application/AT+JWT' })), { sid: claims.sid })
})

const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
const good = signed()
const [goodHead = '', goodBody = '', goodSignature = ''] = good.split('.')
const forged: Record<string, string> = {
  ...Object.fromEntries(
    ['none', 'None', 'nOnE', 'NONE', ''].flatMap((alg) => [
      [`alg ${alg || 'empty'}, no signature`, `${input({ ...header, alg }, claims)}.`],
      [`alg ${alg || 'empty'}, true signature`, signed({ ...header, alg })],
      [`alg ${alg || 'empty'}, no typ, no kid`, `${input({ alg }, claims)}.`],
    ]),
  ),
  'HS256 by the public PEM': hmac(pem),
  'HS256 by the PEM without its newline': hmac(pem.trimEnd()),
  'HS256 by the PEM after a newline': hmac(`\n${pem}`),
  'HS256 by the DER': hmac(publicKey.export({ format: 'der', type: 'spki' })),
  'HS256 by the JWK': hmac(JSON.stringify(publicJwk)),
  'HS256 by x': hmac(Buffer.from(publicJwk?.x ?? '', 'base64url')),
  'HS256 by an empty secret': hmac(''),
  'HS256 by the kid': hmac(kid),
  'HS256 by the refresh key under the access kid': hmac(secretOf('refresh')),
  'HMAC under alg EdDSA': hmac(pem, header),
  'alg ES256': signed({ ...header, alg: 'ES256' }),
  'alg eddsa': signed({ ...header, alg: 'eddsa' }),
  'alg an array': signed({ ...header, alg: ['EdDSA'] }),
  'no alg': signed(without('alg', header)),
  'another key’s signature': signed(header, claims, foreign.privateKey),
  'an embedded jwk': signed(
    { ...header, jwk: foreign.publicKey.export({ format: 'jwk' }) },
    claims,
    foreign.privateKey,
  ),
  'a jku': signed({ ...header, jku: 'https://evil.test/jwks.json' }, claims, foreign.privateKey),
  'an x5u and an x5c': signed(
    { ...header, x5u: 'https://evil.test', x5c: ['AA=='] },
    claims,
    foreign.privateKey,
  ),
  ...Object.fromEntries(
    [
      '../../dev/null',
      '/dev/null',
      "' OR 1=1--",
      '__proto__',
      'constructor',
      '',
      `${kid} `,
      kid.toUpperCase(),
      'k'.repeat(5_000),
      [kid],
      { kid },
      7,
      true,
      null,
    ].map((odd) => [`kid ${JSON.stringify(odd).slice(0, 40)}`, signed({ ...header, kid: odd })]),
  ),
  'no kid': signed(without('kid', header)),
  'the refresh key’s kid': signed({ ...header, kid: keys.active('refresh').kid }),
  ...Object.fromEntries(
    [['exp'], ['x'], ['b64'], [], 'exp', null, 0, false].map((crit) => [
      `crit ${JSON.stringify(crit)}`,
      signed({ ...header, crit }),
    ]),
  ),
  'b64 false': signed({ ...header, b64: false }),
  ...Object.fromEntries(
    ['JWT', 'rt+jwt', 'at+jwt ', 'id+jwt', '', null, 7, ['at+jwt']].map((typ) => [
      `typ ${JSON.stringify(typ)}`,
      signed({ ...header, typ }),
    ]),
  ),
  'no typ': signed(without('typ', header)),
  ...Object.fromEntries(
    Object.keys(claims).map((name) => [`without ${name}`, signed(header, without(name))] as const),
  ),
  ...Object.fromEntries(
    Object.keys(claims).flatMap((name) =>
      [null, {}, true, [], -1, '', [null]].map(
        (value) =>
          [`${name} ${JSON.stringify(value)}`, signed(header, { ...claims, [name]: value })] as const,
      ),
    ),
  ),
  'another iss': signed(header, { ...claims, iss: 'https://evil.test' }),
  'an iss with a slash': signed(header, { ...claims, iss: `${settings.publicUrl}/` }),
  'an array of iss': signed(header, { ...claims, iss: [settings.publicUrl] }),
  'aud the site alone': signed(header, { ...claims, aud: ['site-1'] }),
  'aud the service alone': signed(header, { ...claims, aud: settings.publicUrl }),
  'aud of another site than client_id': signed(header, { ...claims, aud: ['site-2', settings.publicUrl] }),
  'aud of three': signed(header, { ...claims, aud: ['site-1', settings.publicUrl, 'https://evil.test'] }),
  'exp a string': signed(header, { ...claims, exp: String(claims.exp) }),
  'exp 1e400': signed(header, JSON.stringify(claims).replace(`"exp":${claims.exp}`, '"exp":1e400')),
  'exp a fraction': signed(header, { ...claims, exp: claims.exp + 0.5 }),
  'exp past': signed(header, { ...claims, iat: now - 901, exp: now - 1 }),
  'exp far ahead': signed(header, { ...claims, exp: now + 10 * 365 * 86_400 }),
  'exp an hour and a bit after iat': signed(header, { ...claims, exp: now + 3_700 }),
  'iat ahead': signed(header, { ...claims, iat: now + 300 }),
  'nbf ahead': signed(header, { ...claims, nbf: now + 300 }),
  'sub no UUID': signed(header, { ...claims, sub: 'admin' }),
  'claims an array': signed(header, [claims]),
  'claims no JSON': signed(header, 'claims'),
  'claims null': signed(header, 'null'),
  'a header that is an array': signed([header]),
  'a header that is no JSON': signed('header'),
  'a header null': signed('null'),
  'a signature cut off': `${goodHead}.${goodBody}.${goodSignature.slice(0, -4)}`,
  'no signature': `${goodHead}.${goodBody}.`,
  'no third part': `${goodHead}.${goodBody}`,
  'a fourth part': `${good}.AA`,
  'a padded part': `${goodHead}=.${goodBody}.${goodSignature}`,
  'a blank in front': ` ${good}`,
  'a line end behind': `${good}\n`,
  'claims exchanged': `${goodHead}.${base64({ ...claims, client_id: 'site-2' })}.${goodSignature}`,
  'a refresh token of this service': issueRefreshToken(keys, {
    sessionId: claims.sid,
    userId: claims.sub,
    siteId: 'site-1',
    generation: 0,
    expiresAt: new Date(keys.now() + 60_000),
    refreshKid: keys.active('refresh').kid,
  }),
  'a token of 100 kB': signed(header, { ...claims, more: 'x'.repeat(100_000) }),
  'a token of nested brackets': `${base64('['.repeat(3_000))}.${goodBody}.${goodSignature}`,
  'the empty string': '',
  'two dots': '..',
  'no token': 'junk',
  'a NUL': '\0.\0.\0',
}

t.test('each forged token is refused with InvalidToken', async (t) => {
  for (const [what, token] of Object.entries(forged)) {
    t.throws(() => verifyAccessToken(keys, token), { name: 'InvalidToken' }, what)
    t.throws(
      () => verifyRefreshToken(keys, token === forged['a refresh token of this service'] ? good : token),
      {
        name: 'InvalidToken',
      },
    )
  }
  t.ok(Object.keys(forged).length > 150)
})

t.test('neither the error nor its properties hold any part of the token', async (t) => {
  for (const token of [
    signed(header, { ...claims, exp: 'secret-value' }),
    `${goodHead}.${base64('"secret-value"')}.x`,
  ])
    try {
      verifyAccessToken(keys, token)
      t.fail('refused')
    } catch (error) {
      t.ok(error instanceof Error)
      t.notMatch(
        `${String(error)}${JSON.stringify(error)}${String(error instanceof Error && error.cause)}`,
        /secret/,
      )
    }
})

t.test('a refresh token with a missing or wrong claim or the wrong typ is refused', async (t) => {
  const refreshHeader = { alg: 'HS256', typ: 'rt+jwt', kid: keys.active('refresh').kid }
  const refreshClaims = {
    iss: settings.publicUrl,
    aud: settings.publicUrl,
    sid: claims.sid,
    gen: 3,
    client_id: 'site-1',
    jti: randomUUID(),
    iat: now,
    exp: now + 86_400,
  }
  const refresh = (head: unknown = refreshHeader, body: unknown = refreshClaims) =>
    hmac(secretOf('refresh'), head, body)
  t.match(verifyRefreshToken(keys, refresh()), { gen: 3, client_id: 'site-1' }, 'control')
  const flawed = {
    ...Object.fromEntries(
      Object.keys(refreshClaims).map((name) => [`without ${name}`, without(name, refreshClaims)]),
    ),
    'gen negative': { ...refreshClaims, gen: -1 },
    'gen a string': { ...refreshClaims, gen: '3' },
    'gen beyond the column': { ...refreshClaims, gen: 2 ** 31 - 1 },
    'gen a fraction': { ...refreshClaims, gen: 0.5 },
    'sid no UUID': { ...refreshClaims, sid: 'x' },
    'exp past': { ...refreshClaims, iat: now - 10, exp: now - 5 },
    'another aud': { ...refreshClaims, aud: 'site-1' },
    'another iss': { ...refreshClaims, iss: 'https://evil.test' },
  }
  for (const [what, body] of Object.entries(flawed))
    t.throws(() => verifyRefreshToken(keys, refresh(refreshHeader, body)), { name: 'InvalidToken' }, what)
  for (const typ of ['at+jwt', 'JWT', null])
    t.throws(() => verifyRefreshToken(keys, refresh({ ...refreshHeader, typ })), { name: 'InvalidToken' })
})

t.test('a token that has just expired is refused without leeway', async (t) => {
  const subject = { userId: claims.sub, sessionId: claims.sid, siteId: 'site-1' }
  t.throws(() => verifyAccessToken(keys, issueAccessToken(keys, subject, 0)), {
    name: 'InvalidToken',
    flaw: 'expired',
  })
})
