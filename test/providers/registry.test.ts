import t from 'tap'
import { createGuard } from '../../src/providers/guard.ts'
import type { ProviderAdapter } from '../../src/providers/provider.ts'
import { createProviderRegistry } from '../../src/providers/registry.ts'

const adapter = (name: string): ProviderAdapter => ({
  name,
  title: { ru: name, en: name },
  jurisdiction: 'other',
  gives: [],
  denials: [],
  callbackMethod: 'GET',
  callbackParameters: {},
  pkce: true,
  authorizeUrl: () => new URL('https://provider.example/'),
  identify: async () => ({ subject: '1', name: null, login: null, email: null, emailVerified: null }),
})

await t.test('the registry finds registered providers and nothing else', async (t) => {
  const registry = createProviderRegistry()
  t.strictSame(registry.list(), [])
  for (const name of ['two', 'one']) registry.register(adapter(name), createGuard({ provider: name }))
  t.equal(registry.get('one')?.adapter.name, 'one')
  for (const name of ['', 'ONE', 'constructor', '__proto__', 'toString', 'hasOwnProperty'])
    t.equal(registry.get(name), undefined)
  t.strictSame(
    registry.list().map(({ adapter: { name } }) => name),
    ['two', 'one'],
  )
  t.throws(() => registry.register(adapter('one'), createGuard({ provider: 'one' })), /"one"/)
})
