import { assert, constant, constantFrom, oneof, property, string, tuple, webUrl } from 'fast-check'
import t from 'tap'
import { checkRedirectUrl, hostOf, redirectUrlDifference } from '../../src/sites/redirect-url.ts'

const registered = 'https://client.example/oauth/return'

/** What a stranger might send in place of `registered`: the difference that we name, what registration says. */
const strange: readonly [
  name: string,
  url: string,
  difference: string | undefined,
  flaw: RegExp | undefined,
][] = [
  ['http downgrade', 'http://client.example/oauth/return', 'scheme', /must be https/],
  [
    'upper-case scheme',
    'HTTPS://client.example/oauth/return',
    'case',
    /write https:\/\/client\.example\/oauth/,
  ],
  [
    'upper-case host',
    'https://Client.Example/oauth/return',
    'case',
    /write https:\/\/client\.example\/oauth/,
  ],
  ['upper-case path', 'https://client.example/OAuth/return', 'case', undefined],
  ['other port', 'https://client.example:8443/oauth/return', 'port', undefined],
  ['empty port', 'https://client.example:/oauth/return', 'port', /write https:\/\/client\.example\/oauth/],
  [
    'default port',
    'https://client.example:443/oauth/return',
    'port',
    /write https:\/\/client\.example\/oauth/,
  ],
  ['impossible port', 'https://client.example:99999/oauth/return', undefined, /cannot be read/],
  ['trailing slash', 'https://client.example/oauth/return/', 'trailing-slash', undefined],
  ['another path', 'https://client.example/return', 'path', undefined],
  ['added query', 'https://client.example/oauth/return?x=1', 'query', undefined],
  ['reserved query', 'https://client.example/oauth/return?code=attacker&state=attacker', 'query', /"code"/],
  ['reserved, encoded', 'https://client.example/oauth/return?%73tate=1', 'query', /"state"/],
  ['reserved, after a semicolon', 'https://client.example/oauth/return?a=1;iss=x', 'query', /"iss"/],
  ['reserved, as a list', 'https://client.example/oauth/return?provider[]=x', 'query', /"provider"/],
  ['fragment', 'https://client.example/oauth/return#x', 'query', /fragment/],
  [
    'hash routing',
    'https://client.example/#/callback',
    'path',
    /such as \/oauth-return that your server answers/,
  ],
  ['hash routing, old', 'https://client.example/oauth/return#!/back', 'query', /your server answers/],
  ['empty fragment', 'https://client.example/oauth/return#', 'query', /fragment/],
  ['user name', 'https://me@client.example/oauth/return', undefined, /user name/],
  ['several @', 'https://client.example@@evil.example/oauth/return', undefined, /user name/],
  ['encoded @', 'https://client.example%40evil.example/oauth/return', undefined, /cannot be read/],
  [
    'encoded host',
    'https://cl%69ent.example/oauth/return',
    undefined,
    /write https:\/\/client\.example\/oauth/,
  ],
  ['backslash', 'https://evil.example\\@client.example/oauth/return', undefined, /backslash/],
  ['one slash', 'https:/evil.example/oauth/return', undefined, /name a host/],
  ['three slashes', 'https:///evil.example/oauth/return', undefined, /name a host/],
  ['suffix of the host', 'https://client.example.evil.example/oauth/return', undefined, undefined],
  ['prefix of the host', 'https://evilclient.example/oauth/return', undefined, undefined],
  ['dot segments', 'https://client.example/oauth/return/../../evil', 'path', /"\.\."/],
  ['encoded dot segments', 'https://client.example/oauth/return/%2e%2E/evil', 'path', /"\.\."/],
  ['half-encoded dot segment', 'https://client.example/oauth/.%2e/evil', 'path', /"\.\."/],
  ['line end', 'https://client.example/oauth/return\r\nSet-Cookie: a=b', 'path', /control character/],
  ['encoded line end', 'https://client.example/oauth/return%0d%0aSet-Cookie', 'path', /line end/],
  ['encoded NUL', 'https://client.example/oauth/return?x=%00', 'query', /NUL/],
  ['lone percent', 'https://client.example/100%', 'path', /%25/],
  ['tab', 'https://cli\tent.example/oauth/return', undefined, /control character/],
  ['trailing space', 'https://client.example/oauth/return ', 'path', /space/],
  ['Cyrillic letter in the host', 'https://cliеnt.example/oauth/return', undefined, /xn--clint-1we\.example/],
  ['sharp s', 'https://clientß.example/oauth/return', undefined, /xn--client-gta\.example/],
  ['zero-width space', 'https://client\u200b.example/oauth/return', undefined, /client\.example\.$/],
  ['Cyrillic path', 'https://client.example/вход', 'path', /percent-encode/],
  ['lone surrogate', 'https://client.example/\ud800', 'path', /percent-encode/],
  ['script', `javascript:alert(document.domain)//${registered}`, undefined, /begin with https/],
  ['data', 'data:text/html,<script>alert(1)</script>', undefined, /begin with https/],
  ['file', 'file:///etc/passwd', undefined, /begin with https/],
  ['application scheme', 'com.evil.app:/oauth/return', undefined, /begin with https/],
  ['another scheme', 'foo://client.example/oauth/return', 'scheme', /begin with https/],
  ['no scheme', 'client.example/oauth/return', undefined, /begin with https/],
  ['loopback as a prefix', 'http://127.0.0.1.evil.example/', undefined, /must be https/],
  ['loopback in hex', 'http://0x7f.1/', undefined, /must be https/],
  ['loopback mapped into IPv6', 'http://[::ffff:127.0.0.1]/', undefined, /must be https/],
  ['cloud metadata', 'http://169.254.169.254/latest/meta-data/', undefined, /must be https/],
  ['wildcard', 'https://client.example/*', 'path', /no patterns/],
  ['wildcard host', 'https://*.client.example/', undefined, /no patterns/],
  ['template', 'https://client.example/oauth/return${7*7}{{7*7}}', 'path', /no patterns/],
  ['braces', 'https://client.example/oauth/{id}', 'path', /write https:\/\/client\.example\/oauth\/%7Bid%7D/],
  [
    'no slash before the query',
    'https://client.example?x=1',
    'path',
    /write https:\/\/client\.example\/\?x=1/,
  ],
  ['too long', `https://client.example/${'a'.repeat(2000)}`, 'path', /longer than 2000/],
  ['nothing', '', undefined, /empty/],
]

t.test('a strange URL gets its difference at the start and its sentence at registration', async (t) => {
  for (const [name, url, difference, flaw] of strange) {
    t.equal(redirectUrlDifference(url, [registered]), difference, `${name}: difference`)
    const sentence = checkRedirectUrl(url, { loopback: false })
    if (flaw === undefined) t.equal(sentence, undefined, `${name}: may be registered`)
    else {
      t.match(sentence, flaw, `${name}: refused`)
      t.match(sentence, /^[A-Z][^\n]*\.$/, `${name}: one sentence`)
      t.notMatch(sentence, /Set-Cookie/, `${name}: nothing is quoted that breaks the line`)
    }
  }
})

t.test('these URLs may be registered', async (t) => {
  const good = [
    registered,
    'https://client.example',
    'https://client.example/',
    'https://client.example:8443/return',
    'https://client.example/return?lang=ru&x=%D0%BF',
    'https://client.example/return?',
    'https://client.example/%D0%B2%D1%85%D0%BE%D0%B4/a%2Fb//c',
    'https://xn--e1ajeds9e.xn--p1ai/return',
    'https://[2001:db8::1]:8443/return',
    'https://192.0.2.1/return',
    `https://client.example/${'a'.repeat(1977)}`,
  ]
  for (const url of good) t.equal(checkRedirectUrl(url, { loopback: false }), undefined, url.slice(0, 80))
})

t.test('plain http is accepted only to this machine and only in development', async (t) => {
  for (const url of ['http://127.0.0.1:3001/return', 'http://localhost:3001', 'http://[::1]/return']) {
    t.equal(checkRedirectUrl(url, { loopback: true }), undefined, url)
    t.match(checkRedirectUrl(url, { loopback: false }), /must be https/, `${url} in strict mode`)
  }
  const others = [
    'http://127.0.0.1.evil.example/',
    'http://localhost.evil.example/',
    'http://0x7f.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://127.1/',
    'http://client.example/',
  ]
  for (const url of others) t.type(checkRedirectUrl(url, { loopback: true }), 'string', url)
})

t.test('the difference is the one from the nearest registered URL', async (t) => {
  const urls = [
    'https://client.example/',
    'https://client.example:8443/oauth/return',
    'https://client.example/login?lang=ru',
    'https://other.example/oauth/return/',
  ]
  const cases: readonly [string, string | undefined][] = [
    ['https://client.example', 'trailing-slash'],
    ['https://client.example:8443/oauth/return/', 'trailing-slash'],
    ['https://client.example/oauth/return', 'port'],
    ['http://client.example:8443/oauth/return/', 'scheme'],
    ['https://client.example/login', 'query'],
    ['https://client.example/login?lang=RU', 'case'],
    ['https://other.example/oauth/return', 'trailing-slash'],
    ['https://third.example/oauth/return', undefined],
    ['https://client.example/', undefined],
  ]
  for (const [url, difference] of cases) t.equal(redirectUrlDifference(url, urls), difference, url)
  t.equal(redirectUrlDifference(registered, []), undefined, 'nothing is registered')
})

t.test('hostOf gives the host name in lower case, without port', async (t) => {
  t.equal(hostOf('https://Client.Example:8443/x'), 'client.example')
  t.equal(hostOf('foo://Client.Example/x'), 'client.example')
  t.equal(hostOf('http://[::1]:3000/'), '[::1]')
  for (const url of ['', 'client.example', 'data:text/html,x', 'file:///x', 'https://'])
    t.equal(hostOf(url), undefined, url)
})

const text = string({ unit: constantFrom(...Array.from('aZ0/.%2e:@?#&=;*\\[] \tп{}~-_')), maxLength: 30 })
const urls = oneof(
  webUrl({ withQueryParameters: true, withFragments: true }),
  tuple(constantFrom('https://', 'http://', 'HTTPS://', 'https:/', ''), text).map((parts) => parts.join('')),
  tuple(constant('https://client.example'), text).map((parts) => parts.join('')),
)

t.test('the callback parameters can be appended to any accepted URL', async (t) => {
  let accepted = 0
  assert(
    property(urls, string(), (url, code) => {
      if (checkRedirectUrl(url, { loopback: false }) !== undefined) return
      accepted += 1
      const separator = url.includes('?') ? '&' : '?'
      const target = new URL(
        `${url}${separator}provider=a&state=b&code=${encodeURIComponent(code.toWellFormed())}`,
      )
      const own = new URL(url)
      if (target.origin !== own.origin || target.pathname !== own.pathname) throw new Error('led elsewhere')
      if (target.protocol !== 'https:' || target.username !== '' || target.hash !== '') throw new Error('odd')
      for (const name of ['provider', 'state', 'code'])
        if (target.searchParams.getAll(name).length !== 1) throw new Error(`${name} met another`)
      for (const [name, value] of own.searchParams)
        if (!target.searchParams.getAll(name).includes(value)) throw new Error('lost its own query')
    }),
    { numRuns: 5000 },
  )
  t.ok(accepted > 200, `${accepted} were accepted`)
})

t.test('a difference is named if and only if the URLs differ', async (t) => {
  const good = urls.filter((url) => checkRedirectUrl(url, { loopback: false }) === undefined)
  assert(
    property(good, good, (given, other) => {
      const difference = redirectUrlDifference(given, [other])
      if ((difference !== undefined) !== (given !== other && hostOf(given) === hostOf(other)))
        throw new Error(`${given} ${other} ${difference}`)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})
