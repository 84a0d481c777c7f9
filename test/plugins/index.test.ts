import { access } from 'node:fs/promises'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { envOf } from '../../sandbox/doubles/index.ts'
import { readProviders, requiredVariablesOf } from '../../src/providers/settings.ts'
import { startDoubles } from '../support/service.ts'

const names = providers.map(({ name }) => name)

await t.test('every provider has a unique name, a test, a double and its pages', async (t) => {
  t.equal(new Set(names).size, names.length)
  for (const name of names)
    for (const file of [
      `plugins/${name}.ts`,
      `sandbox/doubles/${name}.ts`,
      `test/plugins/${name}.test.ts`,
      `docs/en/providers/${name}.md`,
      `docs/ru/providers/${name}.md`,
    ])
      await t.resolves(access(new URL(`../../${file}`, import.meta.url)), file)
})

await t.test('the list of doubles is that of the plugins, and each has what its plugin reads', async (t) => {
  const doubles = await startDoubles(t)
  t.strictSame(Object.keys(doubles), names)
  for (const [name, { env, callbackMethod }] of Object.entries(doubles)) {
    const problems: string[] = []
    const settings = readProviders(env, providers, { loopback: true, problems })
    t.strictSame([problems, [...settings.keys()]], [[], [name]], 'complete, and of no other provider')
    t.ok(['GET', 'POST'].includes(callbackMethod))
  }
})

await t.test('only what the provider issues has no default', async (t) => {
  const doubles = await startDoubles(t)
  for (const plugin of providers) {
    const problems: string[] = []
    const issued = requiredVariablesOf(plugin)
    t.match(issued[0], /_CLIENT_ID$/)
    for (const name of issued) t.match(name, /_(CLIENT_ID|CLIENT_SECRET|TEAM_ID|KEY_ID|PRIVATE_KEY)$/)
    const all = Object.entries(envOf(doubles))
    const env = Object.fromEntries(
      all.filter(([name]) => issued.includes(name)).map(([name, value]) => [name, value]),
    )
    const settings = readProviders(env, providers, { loopback: false, problems })
    t.strictSame(problems, [])
    t.strictSame([...settings.keys()], [plugin.name])
    t.match(settings.get(plugin.name), { clientId: String, pkce: true })
  }
})
