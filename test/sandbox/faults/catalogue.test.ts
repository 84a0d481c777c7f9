import type { Test } from 'tap'
import t from 'tap'
import type { FaultId } from '../../../sandbox/faults/catalogue.ts'
import { faultGroups, faultIds, faultOf } from '../../../sandbox/faults/catalogue.ts'
import { expectationToJson } from '../../../sandbox/faults/expectation.ts'
import { faultTexts } from '../../../sandbox/faults/texts.ts'
import { emptyFolder, startSandboxAlone } from '../../support/npm-start.ts'
import type { Page } from './visitor.ts'
import { Visitor } from './visitor.ts'

/** The ids that sites already name in their tests. */
const published = {
  person: [
    'refuses',
    'returns-after-an-hour',
    'clicks-twice',
    'goes-back',
    'no-email',
    'no-name',
    'changed-email',
    'long-name',
    'rtl-name',
  ],
  provider: [
    'slow',
    'hangs',
    'error-500',
    'too-many-requests',
    'rubbish',
    'wrong-issuer',
    'rotated-keys',
    'code-used-twice',
    'long-code',
  ],
  browser: ['prefetch', 'lost-session', 'two-tabs', 'in-app-browser', 'repeated-return'],
  site: ['wrong-secret', 'wrong-state', 'late-finish'],
}

t.test('the catalogue has every published fault in its group, with texts in both languages', async (t) => {
  for (const group of faultGroups)
    for (const id of published[group])
      t.equal(
        faultIds.find((known) => known === id && faultOf(known).group === group),
        id,
      )
  for (const texts of [faultTexts.en, faultTexts.ru])
    for (const id of faultIds) {
      const { title, happens, should, byHand } = texts.faults[id]
      t.notMatch(title, /\.$/, id)
      for (const text of [happens, should]) t.match(text, /[.)»]$/, id)
      if (faultOf(id).demo !== undefined) t.ok(byHand, `${id}: what to do at a site of one's own`)
    }
})

interface Told {
  readonly id: FaultId
  readonly providers: readonly string[]
  readonly sees: {
    readonly at: string
    readonly status?: number
    readonly type?: string
    readonly error?: string
  }
  readonly login_hint: string
  readonly last?: {
    readonly provider: string
    readonly saw: unknown
    readonly as_expected: boolean
    readonly did_right: boolean | null
  }
}

t.test('a sandbox of its own', { timeout: 280_000 }, async (t) => {
  const { line } = await startSandboxAlone(t, await emptyFolder(t))
  const faultsUrl = line.faults_url

  const told = async (id: FaultId): Promise<Told> => {
    const body = (await (await fetch(faultsUrl)).json()) as { faults: Told[] }
    const found = body.faults.find((one) => one.id === id)
    if (found === undefined) throw new Error(`no ${id}`)
    return found
  }
  const setByHttp = (fault: object) =>
    fetch(faultsUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    })

  /** How the fault of the next login is set, and what the form of the demo site says beside the provider. */
  const ways = {
    'by a click': async (id: FaultId, provider: string) => {
      await fetch(line.sandbox_url, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ [provider]: id }),
      })
      return {}
    },
    'by HTTP': async (id: FaultId, provider: string) => {
      const response = await setByHttp({ fault: id, provider, times: 1 })
      if (response.status !== 200) throw new Error(await response.text())
      return {}
    },
    'by the start parameter': async (id: FaultId) => ({ fault: id }),
  }

  /** What a visitor does after the first page, where the fault goes on. */
  async function goOn(visitor: Visitor, id: FaultId): Promise<void> {
    // The button Back leads to the page of the provider again.
    const provider = visitor.visited.findLast((url) => url.includes('redirect_uri='))
    if (id === 'goes-back' && provider !== undefined) await visitor.get(provider)
    if (faultOf(id).sees.at === 'callback') await visitor.get(line.demo_url)
  }

  /** Whether the page is what the browser must see of a fault that ends at the callback. */
  function isCallbackPage({ status, text }: Page, { sees }: Told): boolean {
    const problem = JSON.parse(text) as { type?: string }
    return status === sees.status && problem.type === sees.type
  }

  // Each way has providers of its own, so that what is set by one, or an open circuit, touches no other.
  const preferred: Readonly<Record<keyof typeof ways, readonly string[]>> = {
    'by a click': ['yandex', 'telegram'],
    'by HTTP': ['google'],
    'by the start parameter': ['github', 'apple'],
  }
  // The sandbox tells of the last login with a fault, so the same fault is played once at a time.
  const played = new Map<FaultId, Promise<void>>()
  const oneByOne = (id: FaultId, work: () => Promise<void>) => {
    const turn = (played.get(id) ?? Promise.resolve()).then(work)
    played.set(
      id,
      turn.catch(() => {}),
    )
    return turn
  }

  async function play(t: Test, way: keyof typeof ways, id: FaultId): Promise<void> {
    const before = await told(id)
    const provider = preferred[way].find((name) => before.providers.includes(name)) ?? ''
    if (id === 'changed-email') await new Visitor().logIn(line.demo_url, { provider })
    const fields = await ways[way](id, provider)
    const visitor = new Visitor()
    const page = await visitor.logIn(line.demo_url, { provider, ...fields })
    await fetch(`${faultsUrl}?provider=${provider}`, { method: 'DELETE' })
    if (before.sees.at === 'callback') t.ok(isCallbackPage(page, before), page.text)
    await goOn(visitor, id)
    const { sees, last } = await told(id)
    t.match(last, { provider, as_expected: true, did_right: true }, JSON.stringify({ id, last, page }))
    if (sees.at !== 'callback') t.match(last?.saw, expectationToJson(faultOf(id).sees))
  }

  await t.test('every fault, set by each way', { timeout: 200_000 }, async (t) => {
    t.jobs = 3
    for (const [index, way] of (['by a click', 'by HTTP', 'by the start parameter'] as const).entries())
      void t.test(way, { buffered: true }, async (t) => {
        // Each begins elsewhere, so that they wait for one another seldom.
        const first = Math.round((index * faultIds.length) / 3)
        for (const id of [...faultIds.slice(first), ...faultIds.slice(0, first)])
          await t.test(id, (t) => oneByOne(id, () => play(t, way, id)))
      })
  })

  await t.test('over HTTP: what is set, for how long, and what cannot be', async (t) => {
    const set = async () => ((await (await fetch(faultsUrl)).json()) as { set: unknown[] }).set
    await fetch(faultsUrl, { method: 'DELETE' })
    t.strictSame(await set(), [])
    await setByHttp({ fault: 'refuses', provider: 'github', times: 2 })
    t.strictSame(await set(), [{ provider: 'github', fault: 'refuses', times: 2 }])
    const visitor = new Visitor()
    t.match((await visitor.logIn(line.demo_url, { provider: 'github' })).text, /did not allow/)
    t.strictSame(await set(), [{ provider: 'github', fault: 'refuses', times: 1 }])
    t.match((await visitor.logIn(line.demo_url, { provider: 'github' })).text, /did not allow/)
    t.strictSame(await set(), [])
    t.match((await visitor.logIn(line.demo_url, { provider: 'github' })).text, /You are logged in/)

    await setByHttp({ fault: 'no-email' })
    t.notMatch(JSON.stringify(await set()), 'telegram', 'only where it is possible')
    await fetch(`${faultsUrl}?provider=yandex`, { method: 'DELETE' })
    t.notMatch(JSON.stringify(await set()), 'yandex')
    await fetch(faultsUrl, { method: 'DELETE' })

    for (const [wish, says] of [
      [{ fault: 'no-such' }, /There is no fault "no-such": there are refuses, /],
      [{ fault: 'refuses', provider: 'none' }, /There is no provider "none"/],
      [{ fault: 'no-email', provider: 'telegram' }, /telegram cannot have the fault no-email: yandex, /],
      [{ fault: 'refuses', times: 0 }, /The body must be/],
      [{}, /The body must be/],
      [[], /The body must be/],
    ] as const) {
      const response = await setByHttp(wish)
      t.equal(response.status, 400)
      t.match(((await response.json()) as { error: string }).error, says)
    }
    t.equal((await fetch(`${faultsUrl}?provider=none`, { method: 'DELETE' })).status, 400)
    t.equal((await fetch(faultsUrl, { method: 'POST', body: 'fault=refuses' })).status, 415)
    const alien = await fetch(faultsUrl, { method: 'DELETE', headers: { 'sec-fetch-site': 'cross-site' } })
    t.equal(alien.status, 403, 'no page of another site changes it')
  })

  await t.test(
    'a start parameter that names no fault of this provider gets a page that says so',
    async (t) => {
      const page = await new Visitor().logIn(line.demo_url, { provider: 'tid', fault: 'no-email' })
      t.equal(page.status, 400)
      t.match(page.text, /tid cannot have the fault no-email/)
    },
  )

  await t.test(
    'the start parameter works for a site of any language: login_hint in its first request',
    async (t) => {
      for (const provider of line.providers) {
        const started = await fetch(`${line.service_url}/api/v1/oauth/authorize-url/`, {
          method: 'POST',
          body: new URLSearchParams({
            provider,
            client_redirect_url: line.redirect_urls[0] ?? '',
            login_hint: 'sandbox:refuses',
          }),
        })
        const { authorize_url: url, state } = (await started.json()) as Record<string, string>
        const visitor = new Visitor()
        await visitor.get(url ?? '')
        const back = visitor.visited.find((one) => one.startsWith(line.redirect_urls[0] ?? '-'))
        const { searchParams } = new URL(back ?? 'about:blank')
        t.equal(searchParams.get('error'), 'access_denied', provider)
        t.equal(searchParams.get('state'), state)
      }
    },
  )
})
