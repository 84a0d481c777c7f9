import * as fc from 'fast-check'
import type { Fields } from './random-bodies.ts'
import { binary, content, encoded, parameters, unicode } from './random-bodies.ts'
import type { RawRequest } from './raw-http.ts'

/** Valid values that a random request may have, so that it passes the first checks. */
export interface Known {
  readonly paths: readonly string[]
  readonly values: readonly string[]
  /** Whole forms that would be taken. */
  readonly forms: readonly (readonly [string, string][])[]
}

/** HTML that random values contain; no page may contain it unescaped. */
export const injection = '<script>alert(1)</script>'

const awkward = fc.constantFrom(
  '',
  ' ',
  '\0',
  '\r\nX-Injected: 1',
  '../../etc/passwd',
  '%00',
  '%',
  'null',
  '[object Object]',
  '\ud800',
  '\u202e',
  "' OR 1=1--",
  injection,
  'x'.repeat(600),
  'x'.repeat(5_000),
)

/** Random requests of every kind, most of them nearly valid. */
export function randomRequest({ paths, values, forms }: Known): fc.Arbitrary<RawRequest> {
  const value = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...values) },
    { weight: 2, arbitrary: unicode },
    { weight: 2, arbitrary: awkward },
    { weight: 1, arbitrary: binary.map((bytes) => bytes.toString('latin1')) },
  )
  const name = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...parameters) },
    { weight: 1, arbitrary: unicode },
  )
  const strange = fc.array(fc.tuple(name, value), { maxLength: 7 })
  const few = fc.array(fc.tuple(name, value), { maxLength: 2 })
  const fields = fc.oneof(
    strange,
    fc.tuple(fc.constantFrom(...forms), few).map(([form, more]) => [...form, ...more]),
    fc.constantFrom(...forms).chain((form) => fc.shuffledSubarray([...form])),
  )
  return fc
    .record({
      method: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom('GET', 'POST') },
        {
          weight: 1,
          arbitrary: fc.constantFrom('PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'get', 'X'),
        },
      ),
      target: target(paths, fields),
      headers: headers(values),
      content: content(fields),
    })
    .map(({ method, target: to, headers: given, content: [type, body] }) => ({
      method,
      target: to,
      headers: type === undefined ? given : [...given, ['Content-Type', type] as const],
      body,
    }))
}

function target(paths: readonly string[], fields: fc.Arbitrary<Fields>): fc.Arbitrary<string> {
  const segment = fc.oneof(
    fc.constantFrom(
      '.',
      '..',
      '%2e%2e',
      '%2f',
      '%2F..',
      '%5c',
      ';',
      '%00',
      '%zz',
      '%',
      '%ff',
      '//',
      '*',
      '~',
    ),
    unicode.map((text) => encodeURIComponent(text.toWellFormed())),
    fc.string({ maxLength: 12 }).map((text) => text.replace(/[\s#?]/g, '')),
  )
  const path = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...paths) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...paths), fc.array(segment, { minLength: 1, maxLength: 3 }))
        .map(([known, more]) => known + more.join('/')),
    },
    { weight: 1, arbitrary: fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`) },
  )
  const query = fc.oneof(
    { weight: 2, arbitrary: fc.constant('') },
    { weight: 3, arbitrary: fields.map((list) => `?${encoded(list)}`) },
    {
      weight: 1,
      arbitrary: fc.string({ maxLength: 60 }).map((text) => `?${text.replace(/[\s#]/g, '+')}`),
    },
  )
  const callback = fc.tuple(
    fc.constantFrom(...paths.filter((known) => known.includes('/callback/'))),
    fields.map((list) => `?${encoded(list)}`),
  )
  return fc
    .oneof({ weight: 5, arbitrary: fc.tuple(path, query) }, { weight: 1, arbitrary: callback })
    .map((parts) => parts.join(''))
}

function headers(values: readonly string[]): fc.Arbitrary<(readonly [string, string])[]> {
  const printable = fc
    .array(
      fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f),
      { maxLength: 40 },
    )
    .map((codes) => String.fromCharCode(...codes))
  const credentials = fc.oneof(
    fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values)).map(([id, secret]) => `${id}:${secret}`),
    unicode,
  )
  const one = fc.oneof(
    fc.tuple(
      fc.constant('Accept'),
      fc.oneof(fc.constantFrom('text/html', '*/*', 'application/json'), printable),
    ),
    fc.tuple(fc.constant('Accept-Language'), fc.oneof(fc.constantFrom('ru', 'en;q=0', '*'), printable)),
    fc.tuple(
      fc.constant('Authorization'),
      fc.oneof(
        credentials.map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
        fc.constantFrom(...values).map((token) => `Bearer ${token}`),
        printable.map((text) => `Basic ${text}`),
        printable,
      ),
    ),
    fc.tuple(
      fc.constantFrom(
        'X-Request-Id',
        'Cookie',
        'Origin',
        'Range',
        'If-None-Match',
        'Sec-Purpose',
        'X-Forwarded-For',
      ),
      printable,
    ),
    fc.tuple(fc.constant('Expect'), fc.constantFrom('100-continue', '100-continue', '100-continue', 'other')),
    fc.tuple(fc.constant('Content-Encoding'), fc.constantFrom('gzip', 'identity', 'br')),
    fc.tuple(fc.constantFrom('Upgrade', 'Accept-Encoding', 'TE', 'Via'), printable),
  )
  return fc.array(one, { maxLength: 4 })
}
