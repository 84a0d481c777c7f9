import type { PlayedFault } from '../demo-site/demo-fault.ts'
import { AuthorizationRefused } from '../doubles/consent.ts'
import type { LoginFault } from '../doubles/login-fault.ts'
import type { FaultId } from './catalogue.ts'
import { faultIds, faultOf, isFaultId } from './catalogue.ts'
import type { createDetours } from './detours.ts'

/** A fault cannot be set; the message is a sentence that says what to do. */
export class FaultError extends Error {
  override readonly name = 'FaultError'
}

/** A provider of the sandbox, and which faults it can have. */
export interface FaultyProvider {
  readonly name: string
  readonly isPossible: (id: FaultId) => boolean
}

/** A fault that is set for a provider. */
export interface SetFault {
  readonly provider: string
  readonly fault: FaultId
  /** For so many more logins; null: until it is taken away. */
  readonly times: number | null
}

/** A login's fault is handed to the double in this parameter of the authorization URL. */
export const faultParameter = 'sandbox_fault'

/** What the value of a start's `login_hint` begins with, where it asks for a fault: `sandbox:error-500`. */
const hintPrefix = 'sandbox:'

/** The fault that a `login_hint` asks for; undefined where it asks for none. */
export function faultOfHint(loginHint: string | undefined): string | undefined {
  return loginHint?.startsWith(hintPrefix) === true ? loginHint.slice(hintPrefix.length) : undefined
}

/** The `login_hint` that asks for a fault. */
export function hintOfFault(id: string): string {
  return hintPrefix + id
}

/** Logins whose fault is remembered, at most. */
const maxLogins = 10_000

/** Which fault the next logins of each provider have, and which the running logins have. */
export class SetFaults {
  readonly #providers = new Map<string, FaultyProvider>()
  readonly #set = new Map<string, { readonly fault: FaultId; left: number }>()
  readonly #ofLogin = new Map<string, FaultId | undefined>()
  readonly #detours: ReturnType<typeof createDetours>

  constructor(detours: ReturnType<typeof createDetours>) {
    this.#detours = detours
  }

  /** Makes a provider known. */
  addProvider(provider: FaultyProvider): void {
    this.#providers.set(provider.name, provider)
  }

  /** The providers that can have a fault. */
  providersOf(id: FaultId): string[] {
    return [...this.#providers.values()].filter((one) => one.isPossible(id)).map(({ name }) => name)
  }

  /**
   * Sets a fault for the next logins, in place of the one that a provider had.
   * @param provider every one that can have it, where absent
   * @param times for so many logins; until it is taken away, where absent
   * @throws {FaultError} there is no such fault or provider, or this provider cannot have it
   */
  set(fault: string, provider?: string, times = Number.POSITIVE_INFINITY): void {
    const id = this.#checked(fault, provider)
    const names = provider === undefined ? this.providersOf(id) : [provider]
    for (const name of names) this.#set.set(name, { fault: id, left: times })
  }

  /**
   * Takes the faults of all providers away, or that of one. Logins that have begun keep theirs.
   * @throws {FaultError} there is no such provider
   */
  clear(provider?: string): void {
    if (provider === undefined) return this.#set.clear()
    this.#checkProvider(provider)
    this.#set.delete(provider)
  }

  /** What is set, in the order of the providers. */
  list(): SetFault[] {
    return [...this.#providers.keys()].flatMap((provider) => {
      const set = this.#set.get(provider)
      if (set === undefined) return []
      return [{ provider, fault: set.fault, times: Number.isFinite(set.left) ? set.left : null }]
    })
  }

  /**
   * The fault of the next login of the demo site, which counts as used.
   * @param asked what the visitor chose for this login; where there is no such fault, the double says so
   */
  forDemo(provider: string, asked: string | undefined): PlayedFault | undefined {
    const id = asked ?? this.#take(provider)
    if (id === undefined) return undefined
    const demo = isFaultId(id) ? faultOf(id).demo : undefined
    return { id, ...(demo !== undefined && { demo }) }
  }

  /**
   * What a provider's double does with a login. A login keeps the fault that it had when its authorization request first came.
   * @throws {AuthorizationRefused} the request asks for a fault that does not exist, or that this provider cannot have
   */
  ofLogin(provider: string, request: URLSearchParams): LoginFault | undefined {
    const login = `${provider} ${request.get('state') ?? ''}`
    if (!this.#ofLogin.has(login)) {
      const oldest = this.#ofLogin.keys().next()
      if (this.#ofLogin.size >= maxLogins && oldest.done !== true) this.#ofLogin.delete(oldest.value)
      this.#ofLogin.set(login, this.#begin(provider, request.get(faultParameter)))
    }
    const id = this.#ofLogin.get(login)
    if (id === undefined) return undefined
    const { login: fault, detour } = faultOf(id)
    return { ...fault, ...(detour !== undefined && { detour: this.#detours[detour] }) }
  }

  #begin(provider: string, asked: string | null): FaultId | undefined {
    if (asked === null) return this.#take(provider)
    try {
      return this.#checked(asked, provider)
    } catch (error) {
      throw error instanceof FaultError ? new AuthorizationRefused(error.message, 400) : error
    }
  }

  #take(provider: string): FaultId | undefined {
    const set = this.#set.get(provider)
    if (set === undefined) return undefined
    set.left -= 1
    if (set.left <= 0) this.#set.delete(provider)
    return set.fault
  }

  #checkProvider(name: string): FaultyProvider {
    const provider = this.#providers.get(name)
    if (provider !== undefined) return provider
    throw new FaultError(
      `There is no provider "${name}": there are ${[...this.#providers.keys()].join(', ')}.`,
    )
  }

  #checked(fault: string, provider: string | undefined): FaultId {
    if (!isFaultId(fault))
      throw new FaultError(`There is no fault "${fault}": there are ${faultIds.join(', ')}.`)
    if (provider !== undefined && !this.#checkProvider(provider).isPossible(fault))
      throw new FaultError(
        `The provider ${provider} cannot have the fault ${fault}: ${this.providersOf(fault).join(', ')} can.`,
      )
    return fault
  }
}
