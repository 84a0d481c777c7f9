import type { Login } from '../../src/login/login.ts'
import type { FoundLogin, LoginStore } from '../../src/login/login-store.ts'
import { createMemoryLoginStore } from '../../src/login/memory-login-store.ts'

/** What the sandbox knows of the logins of its service, and how it makes them older. */
export interface LoginClock {
  /**
   * Lets a login be as it would be so much later, so that nobody has to wait for its end.
   * @param since `now`, or only once the provider's code has come
   * @param milliseconds less than an hour and the login's own time together: an older login is forgotten
   */
  age(state: string, milliseconds: number, since: 'now' | 'code'): void
  /** The redirect URL with which a login began; undefined where this service knows no such login. */
  redirectUrlOf(state: string): Promise<string | undefined>
}

/** A login's age, beside the time that has really passed. */
interface Age {
  readonly milliseconds: number
  readonly since: 'now' | 'code'
}

/** Logins with an age of their own, at most. */
const maxAged = 1_000

/**
 * The store of logins in memory, of which the sandbox can make a login older. The service judges every time by what it
 * reads from its store, so it treats such a login as it would treat one that is really so old.
 */
export function createLoginClock(): { readonly logins: LoginStore; readonly clock: LoginClock } {
  const store = createMemoryLoginStore()
  const ages = new Map<string, Age>()
  return {
    logins: {
      ...store,
      async find(state) {
        const found = await store.find(state)
        const age = ages.get(state)
        return found === undefined || age === undefined ? found : aged(found, age)
      },
    },
    clock: {
      age(state, milliseconds, since) {
        const oldest = ages.keys().next()
        if (ages.size >= maxAged && oldest.done !== true) ages.delete(oldest.value)
        ages.set(state, { milliseconds, since })
      },
      redirectUrlOf: async (state) => (await store.find(state))?.login.redirectUrl,
    },
  }
}

function aged(found: FoundLogin, { milliseconds, since }: Age): FoundLogin {
  const { response } = found
  if (since === 'code' && response?.kind !== 'code') return found
  const login: Login = {
    ...found.login,
    startedAt: found.login.startedAt - milliseconds,
    answerBy: found.login.answerBy - milliseconds,
  }
  if (response?.kind !== 'code') return { ...found, login }
  return { ...found, login, response: { ...response, finishBy: response.finishBy - milliseconds } }
}
