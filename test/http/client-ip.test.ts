import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import type { TrustedProxies } from '../../src/http/client-ip.ts'
import { clientIpReader, network } from '../../src/http/client-ip.ts'
import { createManagement } from '../../src/management.ts'
import { get, post } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'

const peer = '10.0.0.9'
const read = (proxies: TrustedProxies, header: string, from = peer) => clientIpReader(proxies)(from, header)

t.test('behind one proxy the last entry is the client, whatever precedes it', async (t) => {
  for (const [header, client] of [
    ['192.0.2.1', '192.0.2.1'],
    ['203.0.113.1, 192.0.2.1', '192.0.2.1'],
    ['junk, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:51234', '192.0.2.1'],
    ['"192.0.2.1:51234"', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:0DB8:0:0::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%eth0.100', 'fe80::1'],
    ['[fe80::1%br-lan]:443', 'fe80::1'],
    ['::0:0:0%::0.0.0.0', '::'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1%br-lan', '192.0.2.1'],
    ['::ffff:c000:0201', '192.0.2.1'],
  ] as const)
    t.equal(read(1, header), client, header)
})

t.test(
  'where an entry is not an IP address, the proxy that added this entry is taken for the client itself',
  async (t) => {
    const junk = [
      '',
      ' ',
      ',',
      'unknown',
      'unknown-1',
      '_hidden',
      'localhost',
      'client.example',
      '192.0.2',
      '192.0.2.1.1',
      '192.0.2.256',
      '3221225985',
      '0x7f.1',
      '127.1',
      '192.0.2.1:',
      '192.0.2.1:x',
      '[192.0.2.1]:80',
      '[2001:db8::1',
      '2001:db8::1]:443',
      '2001:db8:1:2:3:4:5:6:443',
      'for=192.0.2.1',
      "'192.0.2.1'",
      '192.0.2.1/24',
      '1'.repeat(4_000),
      `192.0.2.1${' '.repeat(4_000)}x`,
    ]
    for (const entry of junk) t.equal(read(1, entry), peer, entry.slice(0, 40))
    t.equal(read(2, 'junk, 10.0.0.5'), '10.0.0.5', 'with two proxies, the one that is known')
  },
)

t.test('trusted proxies are recognised with a port and as a mapped address too', async (t) => {
  const proxies = ['10.0.0.0/8', '2001:db8:ff::/48', 'fe80::1%eth0', 'fe80::2%eth0.100']
  for (const [header, from, client] of [
    ['192.0.2.1:51234, 10.0.0.5:8080', peer, '192.0.2.1'],
    ['192.0.2.1, "10.0.0.5:8080"', peer, '192.0.2.1'],
    ['192.0.2.1, [2001:db8:ff::5]:443', peer, '192.0.2.1'],
    ['192.0.2.1', '::ffff:10.0.0.9', '192.0.2.1'],
    ['192.0.2.1', '2001:db8:ff::1', '192.0.2.1'],
    ['192.0.2.1', 'fe80::1%eth0', '192.0.2.1'],
    ['192.0.2.1', 'fe80::1%eth1', 'fe80::1'],
    ['192.0.2.1', 'fe80::2%eth0.100', '192.0.2.1'],
    ['192.0.2.1', 'fe80::2%eth0.200', 'fe80::2'],
    ['192.0.2.1', '198.51.100.1', '198.51.100.1'],
    ['203.0.113.1, 192.0.2.1, 10.0.0.5', peer, '192.0.2.1'],
    ['10.0.0.1, 10.0.0.2', peer, '10.0.0.1'],
  ] as const)
    t.equal(read(proxies, header, from), client, `${from}: ${header}`)
  t.equal(
    read(['::ffff:10.0.0.0/104'], '192.0.2.1'),
    '192.0.2.1',
    'a range of mapped addresses is one of IPv4',
  )
  t.equal(read(['10.0.0.9'], '192.0.2.1'), '192.0.2.1', 'a single address')
  t.equal(read(false, '192.0.2.1'), peer, 'nobody is trusted')
  t.equal(clientIpReader(1)(undefined, '192.0.2.1'), '', 'the connection is gone')
})

t.test('whatever comes in the header, the client is an IP address', async () => {
  const piece = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('"', '[', ']', ':', '%', ',', ' ', ':443', 'unknown', '::', 'ffff'),
  )
  const header = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  const proxies = fc.constantFrom<TrustedProxies>(1, 2, 99, ['0.0.0.0/1', '10.0.0.0/8', '::/1'])
  fc.assert(fc.property(header, proxies, (given, trusted) => isIP(read(trusted, given)) > 0))
})

t.test('every address is read back, in every form that proxies write', async () => {
  const port = fc.integer({ min: 0, max: 65_535 })
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, number) => {
      const bracketed = isIP(address) === 6 ? `[${address}]` : address
      const [plain, ...others] = [
        address,
        `"${address}"`,
        `${bracketed}:${number}`,
        `"${bracketed}:${number}"`,
      ].map((entry) => read(1, entry))
      return isIP(plain ?? '') > 0 && others.every((other) => other === plain)
    }),
  )
})

t.test(
  'an IPv6 address is counted by its /64, and one that represents an IPv4 address as that IPv4 address',
  async (t) => {
    for (const [address, key] of [
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
      ['2001:db8::1', '2001:db8:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['192.0.2.1', '192.0.2.1'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
      ['::ffff:0102:0304', '1.2.3.4'],
      ['64:ff9b::102:304', '1.2.3.4'],
      ['64:ff9b::1.2.3.4', '1.2.3.4'],
      ['::ffff:0:102:304', '1.2.3.4'],
      ['2002:102:304:5::1', '1.2.3.4'],
      ['2001:db8:1:2::/64', '2001:db8:1:2::/64'],
      ['', ''],
    ] as const)
      t.equal(network(address), key, address)
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        (address) => network(network(address)) === network(address),
      ),
    )
  },
)

t.test('requests with invented names in X-Forwarded-For count as one client', async (t) => {
  const service = await startTestService(t, { env: { TRUST_PROXY: '1' } })
  const asked = { provider: 'yandex', client_redirect_url: 'https://nobody.example/' }
  const statuses = new Map<number, number>()
  for (let index = 0; index < 610; index++) {
    const headers = { 'x-forwarded-for': `unknown-${index}` }
    const { status } = await post(service, '/api/v1/oauth/authorize-url/', asked, { headers })
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  t.strictSame(
    [...statuses],
    [
      [400, 600],
      [429, 10],
    ],
  )
  const headers = { 'x-forwarded-for': '192.0.2.1' }
  const body = { provider: 'yandex', client_redirect_url: redirectUrl }
  t.equal((await post(service, '/api/v1/oauth/authorize-url/', body, { headers })).status, 200)
})

t.test('TRUST_PROXY is ignored on the management port', async (t) => {
  const service = await startTestService(t, { env: { TRUST_PROXY: '1' } })
  const manager = await createManagement(service.config, {
    ...service.managed,
    database: service.database,
    metrics: service.metrics,
    health: {
      build: { version: '0.0.0', commit: 'unknown' },
      ready: async () => ({}),
      dependencies: async () => ({}),
    },
  })
  t.teardown(() => manager.close())
  const statuses = new Set<number>()
  for (let index = 0; index < 40; index++) {
    const headers = { 'x-forwarded-for': `192.0.2.${index}` }
    statuses.add((await manager.inject({ url: '/api/v1/admin/sites/', headers })).statusCode)
  }
  t.strictSame([...statuses], [401, 429], 'no caller gets further tries by inventing addresses')
})

t.test(
  'a header whose word does not count is warned of once, as everybody may share one address',
  async (t) => {
    const warnings = (service: { readonly log: readonly string[] }) =>
      service.log.filter((line) => line.includes('TRUST_PROXY does not name'))
    const headers = { 'x-forwarded-for': '192.0.2.1' }
    const unaware = await startTestService(t)
    for (let index = 0; index < 3; index++) await get(unaware, '/api/v1/oauth/providers/', headers)
    t.equal(warnings(unaware).length, 0, 'nobody asked for the address')
    const body = { provider: 'yandex', client_redirect_url: redirectUrl }
    for (let index = 0; index < 3; index++)
      await post(unaware, '/api/v1/oauth/authorize-url/', body, { headers })
    t.equal(warnings(unaware).length, 1)
    t.notMatch(warnings(unaware).join(), '192.0.2.1')
    const aware = await startTestService(t, { env: { TRUST_PROXY: '1' } })
    await post(aware, '/api/v1/oauth/authorize-url/', body, { headers })
    t.strictSame(warnings(aware), [])
  },
)
