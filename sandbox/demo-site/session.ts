import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Tokens } from './auth-movies-client.ts'

/** What the demo site remembers of one browser. */
export interface DemoSession {
  /** Logins begun in this browser and not finished yet: several where it has several tabs. */
  readonly states: Set<string>
  tokens?: Tokens
}

const cookieName = 'demo_session'
const statesKept = 10
const sessionsKept = 1_000

/** Browser sessions in memory, by a random id in an HttpOnly cookie. */
export class DemoSessions {
  readonly #sessions = new Map<string, DemoSession>()

  /** This browser's session, if it has one. */
  find(request: FastifyRequest): DemoSession | undefined {
    const id = cookieOf(request)
    return id === undefined ? undefined : this.#sessions.get(id)
  }

  /**
   * A session under a new id in place of the browser's old one: at login too, so that an id which somebody
   * planted in the browser before is worth nothing after (session fixation).
   */
  renew(request: FastifyRequest, reply: FastifyReply, tokens?: Tokens): DemoSession {
    const old = this.find(request)
    this.#sessions.delete(cookieOf(request) ?? '')
    const session: DemoSession = { states: old?.states ?? new Set(), ...(tokens && { tokens }) }
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, session)
    const oldest = this.#sessions.keys().next().value
    if (this.#sessions.size > sessionsKept && oldest !== undefined) this.#sessions.delete(oldest)
    // Lax: the cookie comes along when the provider sends the browser back, and never with a foreign site's POST.
    reply.header('set-cookie', `${cookieName}=${id}; Path=/; HttpOnly; SameSite=Lax`)
    return session
  }

  /** Forgets this browser. */
  end(request: FastifyRequest, reply: FastifyReply): void {
    this.#sessions.delete(cookieOf(request) ?? '')
    reply.header('set-cookie', `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
  }
}

/** Remembers a login that begins; the oldest of too many is forgotten. */
export function rememberState({ states }: DemoSession, state: string): void {
  states.add(state)
  const oldest = states.values().next().value
  if (states.size > statesKept && oldest !== undefined) states.delete(oldest)
}

function cookieOf({ headers }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|; )${cookieName}=([\\w-]+)`).exec(headers.cookie ?? '')?.[1]
}
