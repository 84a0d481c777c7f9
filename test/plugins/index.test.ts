import { access } from 'node:fs/promises'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { readProviders } from '../../src/providers/settings.ts'

await t.test('every provider has a unique name, a test and a double', async (t) => {
  const names = providers.map(({ name }) => name)
  t.equal(new Set(names).size, names.length)
  for (const name of names) {
    await t.resolves(access(new URL(`./${name}.test.ts`, import.meta.url)), `${name}: test`)
    await t.resolves(access(new URL(`../../sandbox/doubles/${name}.ts`, import.meta.url)), `${name}: double`)
    await t.resolves(access(new URL(`../../plugins/${name}.ts`, import.meta.url)), `${name}: plugin`)
  }
})

await t.test('every variable but the credentials has a default', async (t) => {
  for (const plugin of providers) {
    const prefix = plugin.name.toUpperCase()
    const problems: string[] = []
    const env = { [`${prefix}_CLIENT_ID`]: 'id', [`${prefix}_CLIENT_SECRET`]: 'secret' }
    const settings = readProviders(env, providers, { loopback: false, problems })
    t.strictSame(problems, [])
    t.strictSame([...settings.keys()], [plugin.name])
    t.match(settings.get(plugin.name), { clientId: 'id', pkce: true })
  }
})
