import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { siteKept } from '../../src/deadlines.ts'
import { createSites, inBatches, shortCache } from '../../src/sites/lookup.ts'
import { addSite, updateSite } from '../../src/sites/store.ts'
import { isDatabaseUnavailable } from '../../src/storage/database-errors.ts'
import { openTestDatabase, testDatabase } from '../support/database.ts'
import { freePort } from '../support/process.ts'
import { removeSite } from '../support/remove-site.ts'
import { rules } from './support.ts'

t.test('a changed site is seen within 2 s, a new site at once', async (t) => {
  const database = await testDatabase(t)
  const sites = createSites(database)
  const url = 'https://shop.example/'
  t.equal(await sites.byRedirectUrl(url), undefined)
  t.strictSame(await sites.urlsOfHost('shop.example'), [])
  const { id } = await addSite(database, { name: 'Shop', redirectUrls: [url] }, rules)
  t.equal((await sites.byRedirectUrl(url))?.id, id, 'a URL that was not found is looked up again')
  t.equal((await sites.byId(id))?.name, 'Shop')
  t.strictSame(await sites.urlsOfHost('shop.example'), [url])
  await updateSite(database, id, { disabled: true, redirectUrls: ['https://shop.example/b'] }, rules)
  await sleep(2_000)
  t.equal((await sites.byId(id))?.disabled, true)
  t.equal(await sites.byRedirectUrl(url), undefined)
  t.strictSame(await sites.urlsOfHost('shop.example'), ['https://shop.example/b'])
  await removeSite(database, id)
  await sleep(2_000)
  t.equal(await sites.byId(id), undefined)
})

t.test('a value that cannot be registered is not looked up in the database', async (t) => {
  const database = openTestDatabase(t, {
    url: `postgresql://nobody@127.0.0.1:${await freePort()}/none`,
    poolMax: 1,
  })
  const sites = createSites(database)
  for (const odd of ['', 'a\0b', '\ud800', 'пример', ' ', 'a'.repeat(2001)]) {
    t.equal(await sites.byRedirectUrl(odd), undefined)
    t.equal(await sites.byId(odd), undefined)
    t.strictSame(await sites.urlsOfHost(odd), [])
  }
  for (const asked of [
    () => sites.byRedirectUrl('https://a.example/'),
    () => sites.byId('a'),
    () => sites.urlsOfHost('a'),
  ])
    try {
      await asked()
      t.fail('the database cannot be reached')
    } catch (error) {
      t.ok(isDatabaseUnavailable(error), 'the error is that of the database')
    }
})

t.test('the cache loads once for simultaneous callers, and again when the entry is too old', async (t) => {
  const asked: string[] = []
  const cached = shortCache(
    async (key) => {
      asked.push(key)
      await sleep(20)
      if (key === 'broken') throw new Error('broken')
      return key === 'absent' ? undefined : { key, at: performance.now() }
    },
    { size: 2, keptFor: siteKept },
  )
  const [first, ...same] = await Promise.all(Array.from({ length: 20 }, () => cached('a')))
  t.ok(same.every((answer) => answer === first))
  t.strictSame(asked.splice(0), ['a'])
  t.equal(await cached('a'), first, 'cached')
  t.strictSame(asked.splice(0), [])
  for (const absent of ['absent', 'absent']) t.equal(await cached(absent), undefined)
  for (const broken of ['broken', 'broken']) await t.rejects(cached(broken), { message: 'broken' })
  t.strictSame(asked.splice(0), ['absent', 'absent', 'broken', 'broken'], 'neither is cached')
  await cached('b')
  await cached('c')
  await cached('a')
  t.strictSame(asked.splice(0), ['b', 'c', 'a'], 'the cache holds two entries at most')
  for (const until = performance.now() + 4_500; performance.now() < until; await sleep(37)) {
    const answer = await cached('a')
    const age = performance.now() - (answer?.at ?? 0)
    if (age > 2_000) t.fail(`${age} ms old`)
  }
  t.ok(asked.length >= 2 && asked.length <= 4, `asked ${asked.length} times in 4.5 s`)
})

t.test('an entry that took almost its whole life to load is loaded again', async (t) => {
  const asked: number[] = []
  const cached = shortCache(
    async () => {
      asked.push(performance.now())
      if (asked.length === 1) await sleep(1_950)
      return asked.length
    },
    { size: 10, keptFor: siteKept },
  )
  t.equal(await cached('a'), 2, 'loaded again')
})

t.test('keys that are asked for within a moment are loaded by one call', async (t) => {
  const calls: (readonly string[])[] = []
  const find = inBatches(async (keys) => {
    calls.push(keys)
    return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `found ${key}`]))
  }, 20)
  t.strictSame(await Promise.all(['a', 'b', 'a', 'none'].map(find)), [
    'found a',
    'found b',
    'found a',
    undefined,
  ])
  t.strictSame(calls, [['a', 'b', 'none']])
  t.equal(await find('a'), 'found a')
  t.equal(calls.length, 2, 'nothing is cached')

  const many = Array.from({ length: 2_500 }, (_, index) => `key ${index}`)
  await Promise.all(many.map(find))
  t.strictSame(
    calls.slice(2).map(({ length }) => length),
    [1_000, 1_000, 500],
    'no call has more than 1,000 keys',
  )
})

t.test('a failed batch rejects every caller, and the next call loads anew', async (t) => {
  let fails = true
  const find = inBatches(async (keys) => {
    if (fails) throw new Error('away')
    return new Map(keys.map((key) => [key, key]))
  }, 5)
  const results = await Promise.allSettled([find('a'), find('b')])
  t.strictSame(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  fails = false
  t.equal(await find('a'), 'a')
})
