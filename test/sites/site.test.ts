import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { siteKept } from '../../src/deadlines.ts'
import { addSite, removeSite, updateSite } from '../../src/sites/manage.ts'
import { shortCache } from '../../src/sites/short-cache.ts'
import { createSites } from '../../src/sites/site.ts'
import { isDatabaseUnavailable } from '../../src/storage/database-errors.ts'
import { openDatabase } from '../../src/storage/postgres.ts'
import { testDatabase } from '../support/database.ts'
import { freePort } from '../support/process.ts'
import { rules } from './support.ts'

t.test('a change is seen within 2 s, a new site at once', async (t) => {
  const database = await testDatabase(t)
  const sites = createSites(database)
  const url = 'https://shop.example/'
  t.equal(await sites.byRedirectUrl(url), undefined)
  t.strictSame(await sites.urlsOfHost('shop.example'), [])
  const { id } = await addSite(database, { name: 'Shop', redirectUrls: [url] }, rules)
  t.equal((await sites.byRedirectUrl(url))?.id, id, 'what was not found is asked again')
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

t.test('nothing that cannot be registered reaches the database', async (t) => {
  const database = openDatabase({ url: `postgresql://nobody@127.0.0.1:${await freePort()}/none`, poolMax: 1 })
  t.teardown(() => database.close())
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
      t.ok(isDatabaseUnavailable(error), 'the error is the database’s own')
    }
})

t.test('one question for all who ask at once, one more when it is old', async (t) => {
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
  t.equal(await cached('a'), first, 'kept')
  t.strictSame(asked.splice(0), [])
  for (const absent of ['absent', 'absent']) t.equal(await cached(absent), undefined)
  for (const broken of ['broken', 'broken']) await t.rejects(cached(broken), { message: 'broken' })
  t.strictSame(asked.splice(0), ['absent', 'absent', 'broken', 'broken'], 'neither is kept')
  await cached('b')
  await cached('c')
  await cached('a')
  t.strictSame(asked.splice(0), ['b', 'c', 'a'], 'two at most are kept')
  for (const until = performance.now() + 4_500; performance.now() < until; await sleep(37)) {
    const answer = await cached('a')
    const age = performance.now() - (answer?.at ?? 0)
    if (age > 2_000) t.fail(`${age} ms old`)
  }
  t.ok(asked.length >= 2 && asked.length <= 4, `asked ${asked.length} times in 4.5 s`)
})

t.test('an answer that was long on its way is old already', async (t) => {
  const asked: number[] = []
  const cached = shortCache(
    async () => {
      asked.push(performance.now())
      if (asked.length === 1) await sleep(1_950)
      return asked.length
    },
    { size: 10, keptFor: siteKept },
  )
  t.equal(await cached('a'), 2, 'asked again')
})
