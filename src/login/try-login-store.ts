import type { LoginStore } from './login-store.ts'
import { digest, newState } from './state.ts'

/**
 * Takes a made-up login through everything that a store does with one. Its record ends within a second, and nobody
 * else can know its state.
 * @throws {StoreUnavailable}
 */
export async function tryLoginStore(logins: LoginStore): Promise<void> {
  const state = newState()
  const soon = Date.now() + 1_000
  const login = { provider: '', siteId: '', redirectUrl: '', nonce: '', startedAt: soon, answerBy: soon }
  await logins.start(state, login, 1)
  await logins.find(state)
  await logins.answer(state, { kind: 'code', codeDigest: digest(state), kept: {}, finishBy: soon }, 1)
  const token = newState()
  await logins.claim(state, token)
  await logins.fail(state, token)
  await logins.release(state, token, 1)
}
