import * as fc from 'fast-check'

/** Names and values in order, with repetitions. */
export type Fields = readonly (readonly [string, string])[]

/** Names of parameters of any route, and names with a meaning in JavaScript. */
export const parameters = [
  'provider',
  'client_redirect_url',
  'client_redirect_uri',
  'state',
  'code',
  'error',
  'error_description',
  'iss',
  'code_verifier',
  'code_challenge',
  'code_challenge_method',
  'login_hint',
  'prompt',
  'refresh_token',
  'grant_type',
  'token',
  'token_type_hint',
  'client_id',
  'client_secret',
  'limit',
  'since',
  '__proto__',
  'constructor',
  'toString',
] as const

/** Any code units, including lone surrogates. */
export const unicode = fc.string({ unit: 'binary', maxLength: 40 })
/** Any bytes. */
export const binary = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))

/** A body and its Content-Type: valid, truncated, mislabelled, too large, or not text. */
export function content(fields: fc.Arbitrary<Fields>): fc.Arbitrary<readonly [string | undefined, Buffer]> {
  const otherType = fc.constantFrom(
    undefined,
    'application/x-www-form-urlencoded; charset=koi8-r',
    'application/json;charset=utf-8',
    'APPLICATION/JSON',
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary="\u00e9"',
    'text/plain',
    'application/x-www-form-urlencoded\t',
    'x',
    ';',
  )
  const good: fc.Arbitrary<readonly [string, Buffer]> = fc.oneof(
    fields.map((list) => ['application/x-www-form-urlencoded', Buffer.from(encoded(list))] as const),
    fields.map((list) => ['multipart/form-data; boundary=b', Buffer.from(multipart(list))] as const),
    fields.map(
      (list) => ['application/json', Buffer.from(JSON.stringify(Object.fromEntries(list)))] as const,
    ),
    fc
      .dictionary(fc.constantFrom(...parameters), fc.jsonValue())
      .map((json) => ['application/json', Buffer.from(JSON.stringify(json))] as const),
  )
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant([undefined, Buffer.alloc(0)] as const) },
    { weight: 5, arbitrary: good },
    {
      weight: 1,
      arbitrary: fc
        .tuple(good, fc.nat(40))
        .map(([[type, body], less]) => [type, body.subarray(0, -less)] as const),
    },
    { weight: 1, arbitrary: fc.tuple(otherType, good).map(([type, [, body]]) => [type, body] as const) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.oneof(
          otherType,
          good.map(([type]) => type),
        ),
        binary,
      ),
    },
    {
      weight: 1,
      arbitrary: good.map(
        ([type, body]) => [type, Buffer.concat([body, Buffer.alloc(16_384, 'x')])] as const,
      ),
    },
  )
}

/** A query or an urlencoded form. */
export function encoded(fields: Fields): string {
  return fields.map((pair) => pair.map((text) => encodeURIComponent(text.toWellFormed())).join('=')).join('&')
}

function multipart(fields: Fields): string {
  const parts = fields.map(
    ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  return `${parts.join('')}--b--\r\n`
}
