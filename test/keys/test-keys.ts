import { randomBytes } from 'node:crypto'
import type t from 'tap'
import type { KeyCommandOptions } from '../../src/keys/commands.ts'
import type { SigningKeys, SigningKeysOptions } from '../../src/keys/ring.ts'
import { createSigningKeys } from '../../src/keys/ring.ts'
import { endSessionsOfKey } from '../../src/sessions/all-sessions.ts'

/** The settings of the keys, unless a test has its own. */
export const settings = {
  secretKeys: [randomBytes(32)],
  tokenAlg: 'EdDSA',
  publicUrl: 'https://login.test',
  accessTokenTtl: 900,
  refreshTokenTtl: 2_592_000,
  sessionMaxAge: 15_552_000,
} as const

/** The keys of one replica; closed when `test` ends. */
export async function testKeys(
  test: Pick<typeof t, 'teardown'>,
  options: Pick<SigningKeysOptions, 'database'> & Partial<SigningKeysOptions>,
): Promise<SigningKeys> {
  const keys = await createSigningKeys({ ...settings, log: { error() {}, info() {} }, ...options })
  test.teardown(() => keys.close())
  return keys
}

/** A clock that stands still until a test moves it. */
export function testClock(): { readonly now: () => number; advance(seconds: number): void } {
  let milliseconds = 0
  return {
    now: () => milliseconds,
    advance(seconds) {
      milliseconds += seconds * 1000
    },
  }
}

/** The options that the command gives to revokeKey(). */
export function revoking<T extends KeyCommandOptions>(options: T) {
  return { ...options, endSessions: (kid: string) => endSessionsOfKey(options.database.pool, kid) }
}

/** The published keys of access tokens, among which are those of ID tokens too. */
export function accessKids(keys: SigningKeys): string[] {
  const published = keys.jwks().keys.map(({ kid }) => kid)
  return published.filter((kid) => keys.findId(kid) === undefined)
}
