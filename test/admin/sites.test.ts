import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { basic, logIn, post } from '../support/login-flow.ts'
import { startTestManagement } from '../support/management.ts'
import { redirectUrl } from '../support/service.ts'

const every = providers.map(({ name }) => name)
const withoutMail = every.filter((name) => name !== 'mail')
const problem = (name: string) => `urn:auth-movies:problem:${name}`

t.test(
  'a site is added, read, changed, given a second secret and removed, with an audit line per change',
  async (t) => {
    const { admin, audited, service } = await startTestManagement(t)
    const added = await admin('POST', 'sites/', {
      body: { name: 'Кино "1"', redirect_urls: ['https://one.example/back'] },
      headers: { 'x-request-id': 'request-1' },
    })
    t.equal(added.status, 201)
    t.match(added.json, {
      name: 'Кино "1"',
      redirect_urls: ['https://one.example/back'],
      providers: every,
      require_secret: false,
      limit_factor: 1,
      disabled: false,
      live_secrets: 1,
      created_at: /^\d{4}-.*Z$/,
      secret: /^[\w-]{43}$/,
    })
    const { id, secret, ...site } = added.json
    t.match(audited(), [{ action: 'site.add', actor: 'tester', site: id, requestId: 'request-1' }])
    const credentials = basic({ id: String(id), secret: String(secret) })
    const asks = (headers: Record<string, string>) =>
      post(service, '/api/v1/oauth/introspect/', { token: 'x' }, { headers })
    t.equal((await asks(credentials)).status, 200)

    t.strictSame((await admin('GET', `sites/${String(id)}/`)).json, { id, ...site })
    const list = await admin('GET', 'sites')
    t.match(list.json, { sites: [{}, { id }] })
    t.notMatch(list.text, /secret":"/)
    t.same(audited(), [], 'reading writes no audit line')

    const changed = await admin('PATCH', `sites/${String(id)}`, {
      body: { name: 'Cinema', providers: ['mail'], require_secret: true, limit_factor: 20, disabled: true },
    })
    t.match(changed.json, {
      id,
      name: 'Cinema',
      providers: ['mail'],
      require_secret: true,
      limit_factor: 20,
      disabled: true,
      redirect_urls: ['https://one.example/back'],
    })
    t.match(audited(), [
      {
        action: 'site.change',
        site: id,
        changes: {
          name: { to: 'Cinema' },
          limit_factor: { from: 1, to: 20 },
          disabled: { from: false, to: true },
        },
      },
    ])
    t.equal((await admin('PATCH', `sites/${String(id)}`, { body: { disabled: true } })).status, 200)
    t.same(audited(), [], 'a change without effect writes no audit line')

    const rotated = await admin('POST', `sites/${String(id)}/secrets/`)
    t.equal(rotated.status, 201)
    t.match(rotated.json, { id, secret: /^[\w-]{43}$/ })
    t.not(rotated.json.secret, secret)
    t.match(audited(), [{ action: 'site.rotate-secret', site: id }])
    t.match((await admin('GET', `sites/${String(id)}`)).json, { live_secrets: 2 })

    t.equal((await admin('DELETE', `sites/${String(id)}/`)).status, 204)
    t.match(audited(), [{ action: 'site.remove', site: id }])
    for (const method of ['GET', 'DELETE']) {
      const gone = await admin(method, `sites/${String(id)}/`)
      t.equal(gone.status, 404)
      t.match(gone.json, { type: problem('site-not-found') })
    }
    t.same(audited(), [])
    for (const shown of [secret, rotated.json.secret])
      t.notOk(
        service.log.some((line) => line.includes(String(shown))),
        'no secret in the log',
      )
  },
)

t.test(
  'single redirect URLs and providers are added and removed; repeating it changes nothing',
  async (t) => {
    const { admin, audited, service } = await startTestManagement(t)
    const base = `sites/${service.site.id}`
    const further = 'https://client.example/further?x=1'
    const query = `?url=${encodeURIComponent(further)}`
    for (let count = 0; count < 2; count++)
      t.match((await admin('POST', `${base}/redirect-urls/`, { body: { url: further } })).json, {
        redirect_urls: [further, redirectUrl],
      })
    t.match(audited(), [{ changes: { redirect_urls: { added: [further], removed: [] } } }])
    for (let count = 0; count < 2; count++)
      t.strictSame((await admin('DELETE', `${base}/redirect-urls/${query}`)).json.redirect_urls, [
        redirectUrl,
      ])
    t.equal(audited().length, 1)

    for (let count = 0; count < 2; count++)
      t.strictSame((await admin('DELETE', `${base}/providers/mail/`)).json.providers, withoutMail)
    t.match(audited(), [{ changes: { providers: { removed: ['mail'] } } }])
    for (let count = 0; count < 2; count++)
      t.strictSame((await admin('PUT', `${base}/providers/mail/`)).json.providers, [...withoutMail, 'mail'])
    t.equal(audited().length, 1)

    const refusals: [string, string, unknown, number, string, RegExp][] = [
      [
        'DELETE',
        `${base}/redirect-urls/?url=${encodeURIComponent(redirectUrl)}`,
        undefined,
        400,
        'site-invalid',
        /at least one/,
      ],
      ['DELETE', `${base}/redirect-urls/`, undefined, 400, 'missing-parameter', /url/],
      ['DELETE', `${base}/redirect-urls/${query}&more=1`, undefined, 400, 'invalid-parameter', /more/],
      [
        'POST',
        `${base}/redirect-urls/`,
        { url: 'http://client.example/' },
        400,
        'site-invalid',
        /must be https/,
      ],
      ['PUT', `${base}/providers/unheard/`, undefined, 400, 'site-invalid', /no provider/],
      ['PUT', 'sites/site_unknown/providers/mail/', undefined, 404, 'site-not-found', /./],
      ['POST', 'sites/site_unknown/secrets/', undefined, 404, 'site-not-found', /./],
      ['PATCH', base, {}, 400, 'invalid-parameter', /./],
      ['PATCH', base, { name: ' ' }, 400, 'site-invalid', /empty/],
      ['PATCH', base, { limit_factor: 1_001 }, 400, 'site-invalid', /1 to 1000/],
      ['PATCH', base, { limit_factor: '2' }, 400, 'invalid-parameter', /limit_factor/],
      ['PATCH', 'sites/%00/', { name: 'x' }, 404, 'site-not-found', /./],
    ]
    for (const [method, path, body, status, type, detail] of refusals) {
      const answer = await admin(method, path, { body })
      t.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
      t.match(answer.json, { type: problem(type), detail })
    }
    t.same(audited(), [], 'a refused change writes no audit line')
  },
)

t.test('a name or URL of another site is refused with 409, and the message names that site', async (t) => {
  const { admin } = await startTestManagement(t)
  t.equal(
    (await admin('POST', 'sites/', { body: { name: 'Кино', redirect_urls: ['https://a.example/'] } })).status,
    201,
  )
  const name = await admin('POST', 'sites/', {
    body: { name: 'Кино', redirect_urls: ['https://b.example/'] },
  })
  t.equal(name.status, 409)
  t.match(name.json, { type: problem('site-conflict'), detail: /The name "Кино" is taken by site site_/ })
  const url = await admin('POST', 'sites/', {
    body: { name: 'Other', redirect_urls: ['https://a.example/'] },
    headers: { 'accept-language': 'ru' },
  })
  t.equal(url.status, 409)
  t.match(url.json, { detail: /^Ничего не изменено: .*https:\/\/a\.example\// })
})

t.test('logins follow a change within 2 s', async (t) => {
  const { admin, service } = await startTestManagement(t)
  await logIn(service)
  await admin('DELETE', `sites/${service.site.id}/providers/yandex/`)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const refused = await post(service, '/api/v1/oauth/authorize-url/', {
    provider: 'yandex',
    client_redirect_url: redirectUrl,
  })
  t.match(refused.json, { type: problem('provider-not-allowed') })
})

t.test(
  'a dry run lists what a document would change; applying it changes that; applying it again changes nothing',
  async (t) => {
    const { admin, audited, service } = await startTestManagement(t)
    const document = {
      sites: [
        { name: 'New', redirect_urls: ['https://new.example/'] },
        { id: service.site.id, name: 'Renamed', redirect_urls: [redirectUrl], disabled: true },
      ],
    }
    const apply = (query: string, body: unknown = document) => admin('POST', `sites/apply${query}`, { body })
    const dry = await apply('?dry_run=true')
    const changes = { name: { to: 'Renamed' }, disabled: { from: false, to: true } }
    t.equal(dry.status, 200)
    t.match(dry.json, { dry_run: true, created: [{ name: 'New' }], updated: [{ changes }], unchanged: [] })
    t.notMatch(dry.text, /secret/)
    t.equal(await service.database.prisma.site.count(), 1)
    t.same(audited(), [])

    const applied = await apply('')
    t.match(applied.json, {
      dry_run: false,
      created: [{ id: /^site_/, name: 'New', secret: /^[\w-]{43}$/ }],
      updated: [{ id: service.site.id, changes }],
    })
    t.match(audited(), [
      { action: 'site.add', site: /^site_/ },
      { action: 'site.change', site: service.site.id, changes },
    ])
    t.match((await apply('?dry_run=false')).json, { created: [], updated: [], unchanged: [{}, {}] })
    const list = await admin('GET', 'sites/')
    t.match((await apply('', list.json)).json, { updated: [], unchanged: [{}, {}] }, 'a list can be applied')
    t.same(audited(), [])

    const refusals: [string, unknown, number, string, RegExp][] = [
      ['?dryrun=true', document, 400, 'invalid-parameter', /dryrun/],
      ['?dry_run=yes', document, 400, 'invalid-parameter', /dry_run/],
      ['?dry_run=true&dry_run=false', document, 400, 'repeated-parameter', /dry_run/],
      ['', { sites: [{ name: 'x' }] }, 400, 'site-invalid', /sites\/0/],
      ['', { ...document, dry_run: true }, 400, 'site-invalid', /does not fit/],
      ['', { sites: [{ name: 'x', redirect_urls: ['ftp://x/'] }] }, 400, 'site-invalid', /sites\/0: .*https/],
      ['', [], 400, 'site-invalid', /does not fit/],
      ['', 'null', 400, 'site-invalid', /does not fit/],
      ['', '{', 400, 'malformed-request', /./],
      ['', `{"sites": [], "x": "${'x'.repeat(1_048_576)}"}`, 413, 'body-too-large', /1048576/],
    ]
    for (const [query, body, status, type, detail] of refusals) {
      const answer = await apply(query, body)
      t.equal(answer.status, status, `${query} ${answer.text}`)
      t.match(answer.json, { type: problem(type), detail })
    }
    const large = {
      sites: Array.from({ length: 500 }, (_, n) => ({
        name: `n${n}`,
        redirect_urls: [`https://h${n}.example/`],
      })),
    }
    t.match((await apply('?dry_run=true', large)).json, { created: Array }, 'more than other bodies')
  },
)
