import type { Test } from 'tap'
import t from 'tap'
import type { FaultId } from '../../../sandbox/faults/catalogue.ts'
import { startProgram } from '../../examples/run-example.ts'
import { nodeSite } from '../../site-check/checked-site.ts'
import { spoil, withoutComparison } from '../../site-check/spoil.ts'
import { emptyFolder, startSandboxAlone } from '../../support/npm-start.ts'
import { freePort } from '../../support/process.ts'
import { Visitor } from './visitor.ts'

// What the sandbox does to a site of somebody else: an example, and a copy of it that compares no state.

/** Starts both sites beside a sandbox. @returns how a person logs in to each with a fault */
async function start(t: Test) {
  const [right, careless] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const { line } = await startSandboxAlone(t, await emptyFolder(t), {
    args: [right, careless].flatMap((origin) => ['--redirect-url', `${origin}/return`]),
  })
  const variables = { AUTH: line.service_url, SITE_ID: line.site_id, SITE_SECRET: line.site_secret }
  for (const [origin, program] of [
    [right, nodeSite],
    [careless, await spoil(t, nodeSite, withoutComparison)],
  ] as const)
    await startProgram(t, program, origin, { ...variables, REDIRECT_URL: `${origin}/return` })
  /** @returns the visitor, and what the site shows at the end */
  const logIn = async (origin: string, fault: FaultId, provider = 'yandex') => {
    await fetch(line.faults_url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ fault, provider, times: 1 }),
    })
    const visitor = new Visitor()
    await visitor.get(origin)
    const { text } = await visitor.post(`${origin}/login`, { provider })
    return { visitor, text }
  }
  return { right, careless, logIn }
}

const loggedIn = /action="\/logout"/

t.test('faults reach a site that is not the demo site', { timeout: 120_000 }, async (t) => {
  const { right, careless, logIn } = await start(t)

  for (const [fault, shows] of [
    ['refuses', /You did not allow the login/],
    ['returns-after-an-hour', /role="alert"/],
    ['error-500', /role="alert"/],
    ['late-finish', /role="alert"/],
    ['wrong-state', /did not begin in this browser/],
    ['prefetch', loggedIn],
    ['repeated-return', loggedIn],
    ['long-code', loggedIn],
    ['no-name', loggedIn],
  ] as const)
    for (const provider of ['yandex', 'apple'])
      await t.test(`${fault}, ${provider}`, async (t) => {
        const { text, visitor } = await logIn(right, fault, provider)
        t.match(text, shows)
        t.equal(loggedIn.test(text), shows === loggedIn)
        const returns = visitor.visited.filter((url) => url.startsWith(`${right}/return?`))
        t.equal(returns.length, 1, 'of the two returns the sandbox made one')
      })

  await t.test('goes-back: the refusal, then the same login', async (t) => {
    const { visitor, text } = await logIn(right, 'goes-back')
    t.match(text, /You did not allow the login/)
    const provider = visitor.visited.find((url) => url.includes('redirect_uri=')) ?? ''
    t.match((await visitor.get(provider)).text, loggedIn)
  })

  await t.test('a site that compares no state is taken by these faults, so they are real', async (t) => {
    const attacked = await logIn(careless, 'wrong-state')
    t.match(attacked.text, /Boris/, 'the person is logged in as the attacker')
    const prefetched = await logIn(careless, 'prefetch')
    t.notMatch(prefetched.text, loggedIn, 'the program without cookies took the login')
  })
})
