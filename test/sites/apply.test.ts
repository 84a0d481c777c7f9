import t from 'tap'
import { applySites } from '../../src/sites/apply.ts'
import { createSites } from '../../src/sites/lookup.ts'
import { secretMatches, siteToJson } from '../../src/sites/site.ts'
import { addSite, listSites, updateSite } from '../../src/sites/store.ts'
import { testDatabase } from '../support/database.ts'
import { assertRefused, rules } from './support.ts'

const real = { ...rules, dryRun: false }
const dry = { ...rules, dryRun: true }

t.test('the same document again changes nothing', async (t) => {
  const database = await testDatabase(t)
  await addSite(database, { name: 'Bystander', redirectUrls: ['https://bystander.example/'] }, rules)
  const document = {
    sites: [
      {
        name: 'Shop',
        redirect_urls: ['https://shop.example/b', 'https://shop.example/a'],
        providers: ['two'],
      },
      {
        id: 'forum',
        name: 'Forum',
        redirect_urls: ['https://forum.example'],
        require_secret: true,
        limit_factor: 7,
        disabled: true,
      },
    ],
  }
  t.strictSame(await applySites(database, document, dry), {
    dry_run: true,
    created: [{ name: 'Shop' }, { id: 'forum', name: 'Forum' }],
    updated: [],
    unchanged: [],
  })
  t.equal((await listSites(database)).length, 1, 'a dry run writes nothing')

  const { created, ...rest } = await applySites(database, document, real)
  t.strictSame(rest, { dry_run: false, updated: [], unchanged: [] })
  const [shop, forum] = created
  t.match(shop, { name: 'Shop', id: /^site_/, secret: /^[\w-]{43}$/ })
  t.match(forum, { name: 'Forum', id: 'forum', secret: /^[\w-]{43}$/ })
  const stored = await createSites(database).byId('forum')
  t.match(stored, {
    name: 'Forum',
    providers: rules.providers,
    requireSecret: true,
    limitFactor: 7,
    disabled: true,
  })
  t.ok(stored && secretMatches(stored, forum?.secret ?? ''))

  const before = await listSites(database)
  t.strictSame(await applySites(database, document, real), {
    dry_run: false,
    created: [],
    updated: [],
    unchanged: [
      { id: shop?.id, name: 'Shop' },
      { id: 'forum', name: 'Forum' },
    ],
  })
  t.strictSame(await listSites(database), before)
  const listed = JSON.parse(JSON.stringify({ sites: before.map(siteToJson) }))
  t.match(await applySites(database, listed, real), { created: [], updated: [], unchanged: { length: 3 } })
})

t.test('the response lists what differs; a field that is left out stays', async (t) => {
  const database = await testDatabase(t)
  const { id } = await addSite(
    database,
    {
      name: 'Shop',
      redirectUrls: ['https://shop.example/a', 'https://shop.example/b'],
      requireSecret: true,
      limitFactor: 3,
    },
    rules,
  )
  await updateSite(database, id, { disabled: true }, rules)
  const document = {
    sites: [
      {
        id,
        name: 'Store',
        redirect_urls: ['https://shop.example/b', 'https://shop.example/c'],
        providers: ['three', 'one'],
        require_secret: false,
        limit_factor: 1_000,
      },
    ],
  }
  const expected = {
    created: [],
    updated: [
      {
        id,
        name: 'Store',
        changes: {
          name: { from: 'Shop', to: 'Store' },
          redirect_urls: { added: ['https://shop.example/c'], removed: ['https://shop.example/a'] },
          providers: { added: [], removed: ['two'] },
          require_secret: { from: true, to: false },
          limit_factor: { from: 3, to: 1_000 },
        },
      },
    ],
    unchanged: [],
  }
  t.strictSame(await applySites(database, document, dry), { dry_run: true, ...expected })
  t.match(await listSites(database), [{ name: 'Shop', requireSecret: true }])
  t.strictSame(await applySites(database, document, real), { dry_run: false, ...expected })
  t.match(await listSites(database), [
    {
      id,
      name: 'Store',
      redirectUrls: ['https://shop.example/b', 'https://shop.example/c'],
      providers: ['three', 'one'],
      requireSecret: false,
      limitFactor: 1_000,
      disabled: true,
      liveSecrets: 1,
    },
  ])
})

t.test('names and URLs move between the sites of a document', async (t) => {
  const database = await testDatabase(t)
  const a = await addSite(
    database,
    { name: 'A', redirectUrls: ['https://a.example/', 'https://ab.example/'] },
    rules,
  )
  const b = await addSite(database, { name: 'B', redirectUrls: ['https://b.example/'] }, rules)
  await applySites(
    database,
    {
      sites: [
        { id: a.id, name: 'B', redirect_urls: ['https://b.example/'] },
        { id: b.id, name: 'A', redirect_urls: ['https://a.example/'] },
        { name: 'C', redirect_urls: ['https://ab.example/'] },
      ],
    },
    real,
  )
  t.match(await listSites(database), [
    { id: b.id, name: 'A', redirectUrls: ['https://a.example/'] },
    { id: a.id, name: 'B', redirectUrls: ['https://b.example/'] },
    { name: 'C', redirectUrls: ['https://ab.example/'] },
  ])
})

t.test('a document with a fault is refused whole, and the message names the place', async (t) => {
  const database = await testDatabase(t)
  await addSite(database, { name: 'Shop', redirectUrls: ['https://shop.example/'] }, rules)
  const { id } = await addSite(database, { name: 'Other', redirectUrls: ['https://other.example/'] }, rules)
  const before = await listSites(database)
  const good = { name: 'New', redirect_urls: ['https://new.example/'] }
  const bad: readonly [unknown, 'invalid' | 'conflict', RegExp][] = [
    [null, 'invalid', /does not fit/],
    [[], 'invalid', /does not fit/],
    [{}, 'invalid', /sites/],
    [{ sites: {} }, 'invalid', /\/sites/],
    [{ sites: [good, { name: 'x' }] }, 'invalid', /\/sites\/1 .*redirect_urls/],
    [{ sites: [{ ...good, redirect_url: 'x' }] }, 'invalid', /\/sites\/0/],
    [{ sites: [{ ...good, disabled: 'no' }] }, 'invalid', /\/sites\/0\/disabled must be boolean/],
    [
      { sites: [good, { name: 'x', redirect_urls: ['http://x.example/'] }] },
      'invalid',
      /^sites\/1: .*must be https/,
    ],
    [{ sites: [good, { name: 'x', redirect_urls: [] }] }, 'invalid', /^sites\/1: .*at least one/],
    [{ sites: [{ ...good, id: 'a b' }] }, 'invalid', /^sites\/0: .*letters, digits/],
    [{ sites: [{ ...good, limit_factor: 0 }] }, 'invalid', /^sites\/0: .*1 to 1000/],
    [{ sites: [{ ...good, providers: ['four'] }] }, 'invalid', /^sites\/0: .*no provider "four"/],
    [
      { sites: [good, { ...good, redirect_urls: ['https://x.example/'] }] },
      'invalid',
      /sites\/0 and sites\/1 .* name/,
    ],
    [{ sites: [good, { ...good, name: 'x' }] }, 'invalid', /sites\/0 and sites\/1 have the same url/],
    [
      {
        sites: [
          { ...good, id: 'x' },
          { id: 'x', name: 'x', redirect_urls: ['https://x.example/'] },
        ],
      },
      'invalid',
      /same id/,
    ],
    [
      {
        sites: [
          { id, name: 'Renamed', redirect_urls: ['https://x.example/'] },
          { name: 'Other', redirect_urls: ['https://y.example/'] },
        ],
      },
      'invalid',
      /Two entries are about site/,
    ],
    [
      { sites: [good, { name: 'x', redirect_urls: ['https://shop.example/'] }] },
      'conflict',
      /registered to site/,
    ],
    [
      { sites: [good, { id: 'x', name: 'Shop', redirect_urls: ['https://x.example/'] }] },
      'conflict',
      /"Shop" is taken/,
    ],
  ]
  for (const [document, kind, sentence] of bad) {
    await assertRefused(t, applySites(database, document, real), kind, sentence)
    await assertRefused(t, applySites(database, document, dry), kind, sentence)
  }
  t.strictSame(await listSites(database), before)
})

t.test('applying one document several times at once creates each site once', async (t) => {
  const database = await testDatabase(t)
  const document = {
    sites: Array.from({ length: 20 }, (_, n) => ({
      name: `Site ${n}`,
      redirect_urls: [`https://${n}.example/`],
    })),
  }
  const applied = await Promise.all(Array.from({ length: 4 }, () => applySites(database, document, real)))
  t.equal(applied.filter(({ created }) => created.length === 20).length, 1)
  t.equal(applied.filter(({ unchanged }) => unchanged.length === 20).length, 3)
})
