import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createSites } from '../../src/sites/lookup.ts'
import { hashSecret, secretMatches } from '../../src/sites/site.ts'
import { addSite, listSites, rotateSecret, updateSite } from '../../src/sites/store.ts'
import type { TestDatabase } from '../support/database.ts'
import { testDatabase } from '../support/database.ts'
import { removeSite } from '../support/remove-site.ts'
import { assertRefused, rules } from './support.ts'

/** What a process that has cached nothing sees. */
const siteNow = (database: TestDatabase, id: string) => createSites(database).byId(id)

t.test('a change that takes long is made as a whole: no timer of Prisma ends its transaction', async (t) => {
  const database = await testDatabase(t)
  const { id } = await addSite(database, { name: 'Shop', redirectUrls: ['https://shop.example/a'] }, rules)
  await database.pool.query(
    `CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END'`,
  )
  await database.pool.query('CREATE TRIGGER rest AFTER UPDATE ON sites FOR EACH ROW EXECUTE FUNCTION rest()')
  // What would take up to an hour takes a five-hundredth of it: a minute is over before the second statement.
  const { setTimeout: original } = globalThis
  t.intercept(globalThis, 'setTimeout', {
    value: Object.assign(
      (work: () => void, delay = 0, ...rest: []) =>
        original(work, delay >= 20_000 && delay <= 3_600_000 ? delay / 500 : delay, ...rest),
      original,
    ),
  })
  const redirectUrls = ['https://shop.example/a', 'https://shop.example/b']
  await updateSite(database, id, { name: 'Renamed', redirectUrls }, rules)
  t.match(await listSites(database), [{ name: 'Renamed', redirectUrls }])
})

t.test('a site is added, listed, found and removed', async (t) => {
  const database = await testDatabase(t)
  const site = await addSite(
    database,
    { name: 'Shop', redirectUrls: ['https://shop.example/b', 'https://shop.example/a'] },
    rules,
  )
  t.match(site.id, /^site_[A-Za-z0-9_-]{12}$/)
  t.match(site.secret, /^[A-Za-z0-9_-]{43}$/)
  t.strictSame(
    { ...site, id: '', secret: '', createdAt: site.createdAt instanceof Date },
    {
      id: '',
      secret: '',
      name: 'Shop',
      redirectUrls: ['https://shop.example/a', 'https://shop.example/b'],
      providers: ['one', 'two', 'three'],
      requireSecret: false,
      limitFactor: 1,
      disabled: false,
      postLogoutRedirectUrls: [],
      native: false,
      idTokenAlg: 'RS256',
      createdAt: true,
      liveSecrets: 1,
    },
  )
  const { secret, ...record } = site
  t.strictSame(await listSites(database), [record], 'listed without its secret')
  const found = await createSites(database).byRedirectUrl('https://shop.example/a')
  t.strictSame(found, {
    id: site.id,
    name: 'Shop',
    redirectUrls: ['https://shop.example/a', 'https://shop.example/b'],
    providers: ['one', 'two', 'three'],
    requireSecret: false,
    limitFactor: 1,
    disabled: false,
    postLogoutRedirectUrls: [],
    native: false,
    idTokenAlg: 'RS256',
    secretHashes: [hashSecret(secret)],
  })
  t.ok(found && secretMatches(found, secret), 'its secret matches')
  t.notOk(found && secretMatches(found, `${secret}x`), 'another is not')
  t.notOk(found && secretMatches(found, ''), 'nor is none')

  await removeSite(database, site.id)
  t.strictSame(await listSites(database), [])
  t.equal(await siteNow(database, site.id), undefined)
  await addSite(database, { name: 'Shop', redirectUrls: ['https://shop.example/a'] }, rules)
  await assertRefused(t, removeSite(database, site.id), 'not-found', /no site with the id/)
})

t.test('a site with a faulty field is refused, and nothing is stored', async (t) => {
  const database = await testDatabase(t)
  const good = { name: 'Shop', redirectUrls: ['https://shop.example/'] }
  const bad: [Partial<Parameters<typeof addSite>[1]>, RegExp][] = [
    [{ name: '' }, /name is empty/],
    [{ name: '  ' }, /name is empty/],
    [{ name: ' Shop' }, /begin or end with a space/],
    [{ name: 'x'.repeat(101) }, /longer than 100/],
    [{ name: 'Sh\0op' }, /control character/],
    [{ name: 'Sh\ud800op' }, /control character/],
    [{ redirectUrls: [] }, /at least one redirect URL/],
    [{ redirectUrls: ['https://a.example/', 'https://a.example/'] }, /given twice/],
    [{ redirectUrls: Array.from({ length: 101 }, (_, n) => `https://a.example/${n}`) }, /at most 100/],
    [
      { redirectUrls: ['https://a.example/\r\nx'] },
      /control character\. Given was: https:\/\/a\.example\/\\r\\nx$/,
    ],
    [{ redirectUrls: ['http://127.0.0.1/'] }, /must be https/],
    [{ providers: [] }, /at least one provider/],
    [{ providers: ['one', 'one'] }, /given twice/],
    [{ providers: ['four'] }, /no provider "four": known are one, two, three/],
    [{ providers: ['__proto__'] }, /no provider/],
  ]
  for (const limitFactor of [0, -1, 1.5, 1_001, Number.NaN])
    bad.push([{ limitFactor }, /whole number from 1 to 1000/])
  for (const [fields, sentence] of bad)
    await assertRefused(t, addSite(database, { ...good, ...fields }, rules), 'invalid', sentence)
  t.strictSame(await listSites(database), [], 'nothing was stored')
})

t.test('an update changes the fields that it names', async (t) => {
  const database = await testDatabase(t)
  const { id } = await addSite(
    database,
    { name: 'Shop', redirectUrls: ['https://shop.example/a', 'https://shop.example/b'] },
    rules,
  )
  const update = (changes: Parameters<typeof updateSite>[2]) => updateSite(database, id, changes, rules)
  t.strictSame(
    (await update({ redirectUrls: ['https://shop.example/c', 'https://shop.example/b'] })).redirectUrls,
    ['https://shop.example/b', 'https://shop.example/c'],
    'a list replaces the list',
  )
  await update({ providers: ['two'] })
  await update({ requireSecret: true })
  await update({ limitFactor: 1_000 })
  await update({ disabled: true })
  const first = await database.prisma.site.findUniqueOrThrow({ where: { id } })
  await update({ disabled: true, name: 'Store' })
  const second = await database.prisma.site.findUniqueOrThrow({ where: { id } })
  t.strictSame(second.disabledAt, first.disabledAt, 'disabled since the first time')
  t.match(await siteNow(database, id), {
    name: 'Store',
    redirectUrls: ['https://shop.example/b', 'https://shop.example/c'],
    providers: ['two'],
    requireSecret: true,
    limitFactor: 1_000,
    disabled: true,
  })
  t.match(await update({ disabled: false, requireSecret: false }), { disabled: false, requireSecret: false })

  await addSite(database, { name: 'Other', redirectUrls: ['https://other.example/'] }, rules)
  await assertRefused(t, update({ name: 'Other' }), 'conflict', /name "Other" is taken by site site_/)
  await assertRefused(
    t,
    update({ redirectUrls: ['https://other.example/'] }),
    'conflict',
    /is registered to site site_/,
  )
  await assertRefused(t, update({ redirectUrls: [] }), 'invalid', /at least one/)
  await assertRefused(t, updateSite(database, 'nobody', { name: 'x' }, rules), 'not-found', /"nobody"/)
  await assertRefused(
    t,
    updateSite(database, 'no\0body', { name: 'x' }, rules),
    'not-found',
    /"no\\u0000body"/,
  )
  t.match(
    await siteNow(database, id),
    { name: 'Store', redirectUrls: { length: 2 } },
    'nothing of a refused change',
  )
})

t.test('two secrets are live; a third one replaces the oldest', async (t) => {
  const database = await testDatabase(t)
  const { id, secret } = await addSite(
    database,
    { name: 'Shop', redirectUrls: ['https://shop.example/'] },
    rules,
  )
  const secrets = [secret]
  const living = async () => {
    const site = await siteNow(database, id)
    return secrets.map((one) => site !== undefined && secretMatches(site, one))
  }
  for (const expected of [
    [true, true],
    [false, true, true],
    [false, false, true, true],
  ]) {
    const rotated = await rotateSecret(database, id)
    t.equal(rotated.id, id)
    secrets.push(rotated.secret)
    t.strictSame(await living(), expected)
  }
  const parallel = await Promise.all(Array.from({ length: 6 }, () => rotateSecret(database, id)))
  t.equal((await siteNow(database, id))?.secretHashes.length, 2, 'also after parallel rotations')
  t.equal(new Set(parallel.map((rotated) => rotated.secret)).size, 6)
  await assertRefused(t, rotateSecret(database, 'nobody'), 'not-found', /"nobody"/)
})

t.test(
  'of conflicting changes at the same time one succeeds, and the others are refused with the reason',
  async (t) => {
    const database = await testDatabase(t)
    const race = async (add: (n: number) => Promise<unknown>, sentence: RegExp) => {
      const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => add(n)))
      t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1, `one of ${sentence}`)
      for (const result of results)
        if (result.status === 'rejected')
          await assertRefused(t, Promise.reject(result.reason), 'conflict', sentence)
    }
    await race(
      (n) =>
        addSite(
          database,
          { name: `Site ${n}`, redirectUrls: ['https://a.example/', `https://${n}.example/`] },
          rules,
        ),
      /https:\/\/a\.example\/ is registered to site/,
    )
    await race(
      (n) => addSite(database, { name: 'Same', redirectUrls: [`https://same${n}.example/`] }, rules),
      /name "Same" is taken/,
    )
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        addSite(database, { name: `Mover ${n}`, redirectUrls: [`https://mover${n}.example/`] }, rules),
      ),
    )
    await race(
      (n) => updateSite(database, others[n]?.id ?? '', { redirectUrls: ['https://moved.example/'] }, rules),
      /moved\.example\/ is registered/,
    )
  },
)

t.test('removing a site deletes its sessions and no others', async (t) => {
  const database = await testDatabase(t)
  const [shop, other] = await Promise.all(
    ['shop', 'other'].map((name) =>
      addSite(database, { name, redirectUrls: [`https://${name}.example/`] }, rules),
    ),
  )
  if (shop === undefined || other === undefined) throw new Error('Two sites were added.')
  const userId = randomUUID()
  await database.prisma.user.create({ data: { id: userId } })
  const session = (siteId: string, n: number) => ({
    id: randomUUID(),
    userId,
    siteId,
    provider: 'one',
    loginHash: hashSecret(`${siteId} ${n}`),
    refreshKid: 'kid',
    expiresAt: new Date(Date.now() + 60_000),
    endsAt: new Date(Date.now() + 60_000),
  })
  const sessions = Array.from({ length: 6_000 }, (_, n) => session(shop.id, n))
  await database.prisma.session.createMany({ data: sessions.slice(0, 3_000) })
  await database.prisma.session.createMany({ data: [...sessions.slice(3_000), session(other.id, 0)] })
  await removeSite(database, shop.id)
  const left = await database.prisma.session.findMany({ select: { siteId: true } })
  t.strictSame(left, [{ siteId: other.id }])
})

t.test('a site that the previous version added has the factor 1', async (t) => {
  const database = await testDatabase(t)
  await database.prisma.$executeRaw`INSERT INTO sites (id, name, providers) VALUES ('old', 'Old', '{one}')`
  t.match(await listSites(database), [{ id: 'old', limitFactor: 1 }])
})
