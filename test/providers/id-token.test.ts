import { exportJWK, generateKeyPair } from 'jose'
import t from 'tap'
import { createProviderKeys } from '../../src/providers/id-token.ts'
import { ProviderFailure } from '../../src/providers/provider.ts'
import type { JsonObject } from '../../src/providers/response.ts'
import { failureOf } from './provider-setup.ts'

const hour = 3_600_000
const soon = () => AbortSignal.timeout(5_000)

async function key(kid: string) {
  const { publicKey } = await generateKeyPair('RS256')
  return { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }
}

/** Keys at a URL that can fail, with a clock that the test sets. */
function setUp() {
  const address = { keys: [] as object[], out: false, fetches: 0, now: 0 }
  const keys = createProviderKeys({
    provider: 'one',
    now: () => address.now,
    fetch: async (): Promise<JsonObject> => {
      address.fetches += 1
      if (address.out) throw new ProviderFailure('unavailable', 'out')
      return { keys: address.keys }
    },
  })
  const find = (kid: string) =>
    keys.find({ alg: 'RS256', kid }, { payload: '', protected: '', signature: '' }, soon())
  return { address, keys, find }
}

await t.test('keys stay usable for a day while the JWKS URL fails', async (t) => {
  const { address, keys, find } = setUp()
  address.keys = [await key('a')]
  await keys.refresh()
  address.out = true
  for (let hours = 1; hours <= 24; hours++) {
    address.now = hours * hour
    t.match(await failureOf(keys.refresh()), { kind: 'unavailable' })
    await keys.ready(soon())
    t.ok(await find('a'), `after ${hours} hours`)
  }
  address.now += 1
  t.match(await failureOf(keys.ready(soon())), { kind: 'unavailable' })
  address.out = false
  await keys.ready(soon())
  t.ok(await find('a'))
})

await t.test('a response without usable keys replaces no keys', async (t) => {
  const { address, keys, find } = setUp()
  address.keys = [await key('a')]
  await keys.refresh()
  for (const answer of [[], [{ kty: 'EC' }]]) {
    address.keys = answer
    t.match(await failureOf(keys.refresh()), { kind: 'invalid_response' })
    t.ok(await find('a'))
  }
})

await t.test('after a rotation with overlap no login waits for a fetch', async (t) => {
  const { address, keys, find } = setUp()
  const [a, b, c] = await Promise.all([key('a'), key('b'), key('c')])
  address.keys = [a, b]
  await keys.refresh()
  address.now += hour
  address.keys = [b, c]
  await keys.refresh()
  const { fetches } = address
  t.ok(await find('b'))
  t.ok(await find('c'))
  t.equal(address.fetches, fetches)
})

await t.test('an unknown kid causes one fetch in five seconds, shared by all who wait', async (t) => {
  const { address, keys, find } = setUp()
  address.keys = [await key('a')]
  await keys.refresh()
  await t.rejects(find('b'), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  t.equal(address.fetches, 1)
  address.now += 5_000
  await Promise.all([1, 2, 3].map(() => t.rejects(find('b'), { code: 'ERR_JWKS_NO_MATCHING_KEY' })))
  t.equal(address.fetches, 2)
  address.now += 5_000
  address.keys.push(await key('b'))
  t.ok(await find('b'))
  address.now += 5_000
  address.out = true
  t.match(await failureOf(find('c')), { kind: 'unavailable' })
  await t.rejects(find('c'), { code: 'ERR_JWKS_NO_MATCHING_KEY' }, 'a fetch that failed counts, too')
  t.ok(await find('a'))
})
