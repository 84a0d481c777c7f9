import t from 'tap'
import { introspect } from '../../src/sessions/introspect.ts'
import { revokeToken } from '../../src/sessions/revoke.ts'
import { issueTokenPair, verifyEitherToken } from '../../src/tokens/token-pair.ts'
import { settings, testKeys } from '../keys/test-keys.ts'
import { testDatabase } from '../support/database.ts'
import { addSite, age, opened, refresh } from './test-sessions.ts'

async function signedIn(
  t: Pick<typeof import('tap').default, 'teardown'>,
  more?: { requireSecret?: boolean },
) {
  const database = await testDatabase(t)
  const keys = await testKeys(t, { database })
  await addSite(database, 'site-1', more)
  await addSite(database, 'site-2')
  const session = await opened(database, { refreshKid: keys.active('refresh').kid })
  const pair = issueTokenPair(keys, session)
  const ask = async (token: string, siteId = 'site-1') =>
    introspect(database, verifyEitherToken(keys, token), siteId)
  const revoke = async (token: string, authenticatedSite: string | null) =>
    revokeToken(database, verifyEitherToken(keys, token), authenticatedSite)
  return { database, keys, session, pair, ask, revoke }
}

t.test('a living token is active, with its claims', async (t) => {
  const { session, pair, ask } = await signedIn(t)
  const common = {
    active: true,
    client_id: 'site-1',
    sub: session.userId,
    sid: session.sessionId,
    iss: settings.publicUrl,
  }
  t.match(await ask(pair.access_token), {
    ...common,
    token_type: 'Bearer',
    aud: ['site-1', settings.publicUrl],
  })
  const refreshed = await ask(pair.refresh_token)
  t.match(refreshed, { ...common, aud: [settings.publicUrl] })
  t.notOk('token_type' in refreshed)
})

t.test('another site’s token is inactive; junk and the empty string are refused as tokens', async (t) => {
  const { pair, keys, ask } = await signedIn(t)
  for (const token of [pair.access_token, pair.refresh_token])
    t.same(await ask(token, 'site-2'), { active: false })
  for (const token of ['', 'junk', 'a.b.c', `${pair.access_token}x`])
    t.throws(() => verifyEitherToken(keys, token), { name: 'InvalidToken' }, token)
})

t.test('a superseded generation is inactive, and an introspection ends no session', async (t) => {
  const { database, keys, session, pair, ask } = await signedIn(t)
  await refresh(database, session, 0)
  t.same(await ask(pair.refresh_token), { active: false })
  t.match(await ask(pair.access_token), { active: true })
  const ahead = issueTokenPair(keys, { ...session, generation: 9 }).refresh_token
  t.same(await ask(ahead), { active: false })
  t.match(await refresh(database, session, 1), { kind: 'rotated' })
})

t.test('a token is inactive if its session has ended or its user or site is disabled', async (t) => {
  const { database, session, pair, ask } = await signedIn(t)
  const both = async () => [await ask(pair.access_token), await ask(pair.refresh_token)]
  const id = session.userId
  const inactive = [{ active: false }, { active: false }]
  await database.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
  t.same(await both(), inactive)
  await database.prisma.user.update({ where: { id }, data: { disabledAt: null } })
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt: new Date() } })
  t.same(await both(), inactive)
  await database.prisma.site.update({ where: { id: 'site-1' }, data: { disabledAt: null } })
  t.match(await both(), [{ active: true }, { active: true }])
  await age(database, session.sessionId, 3_601)
  t.same(await both(), inactive)
})

t.test('revoking either token ends the session; revoking it again changes nothing', async (t) => {
  for (const name of ['access_token', 'refresh_token'] as const) {
    const { database, session, pair, ask, revoke } = await signedIn(t)
    t.equal(await revoke(pair[name], null), 'ended')
    t.equal(await revoke(pair[name], null), 'nothing')
    t.same(await ask(pair.access_token), { active: false })
    t.same(await refresh(database, session, 0), { kind: 'refused', reason: 'ended' })
  }
})

t.test('revoking a superseded refresh token ends its session', async (t) => {
  const { database, session, pair, revoke } = await signedIn(t)
  await refresh(database, session, 0)
  t.equal(await revoke(pair.refresh_token, null), 'ended')
})

t.test('a site that revokes another site’s token changes nothing', async (t) => {
  const { database, session, pair, revoke } = await signedIn(t)
  t.equal(await revoke(pair.refresh_token, 'site-2'), 'nothing')
  t.match(await refresh(database, session, 0), { kind: 'rotated' })
})

t.test('revoking without the secret that the site requires changes nothing and is refused', async (t) => {
  const { pair, revoke } = await signedIn(t, { requireSecret: true })
  t.equal(await revoke(pair.refresh_token, null), 'secret-required')
  t.equal(await revoke(pair.refresh_token, 'site-1'), 'ended')
})
