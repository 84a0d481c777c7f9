import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Tokens } from './auth-movies-client.ts'
import type { LoginRecord } from './login-record.ts'

/** What the demo site stores for one browser. */
export interface DemoSession {
  /** The states of logins that this browser started and has not finished: several if it has several tabs. */
  readonly states: Set<string>
  /** What was seen of the login that it began last. */
  login?: LoginRecord
  tokens?: Tokens
}

const cookieName = 'demo_session'
const maxStates = 10
const maxSessions = 1_000

/** Browser sessions in memory, by a random id in an HttpOnly cookie. */
export class DemoSessions {
  readonly #sessions = new Map<string, DemoSession>()

  /** This browser's session, if it has one. */
  find(request: FastifyRequest): DemoSession | undefined {
    const id = cookieOf(request)
    return id === undefined ? undefined : this.#sessions.get(id)
  }

  /**
   * Replaces the browser's session by one with a new id. Also done at login, so that an id that an attacker set in the
   * browser before is worthless afterwards (session fixation).
   */
  restart(request: FastifyRequest, reply: FastifyReply, tokens?: Tokens): DemoSession {
    const old = this.find(request)
    this.#sessions.delete(cookieOf(request) ?? '')
    const session: DemoSession = {
      states: old?.states ?? new Set(),
      ...(old?.login && { login: old.login }),
      ...(tokens && { tokens }),
    }
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, session)
    const oldest = this.#sessions.keys().next().value
    if (this.#sessions.size > maxSessions && oldest !== undefined) this.#sessions.delete(oldest)
    // Lax: the cookie is sent when the provider redirects the browser back, but never with a POST from another site.
    reply.header('set-cookie', `${cookieName}=${id}; Path=/; HttpOnly; SameSite=Lax`)
    return session
  }

  /** Deletes the browser's session. */
  end(request: FastifyRequest, reply: FastifyReply): void {
    this.#sessions.delete(cookieOf(request) ?? '')
    reply.header('set-cookie', `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
  }
}

/** Stores the state of a login that begins, and deletes the oldest one if there are too many. */
export function rememberState({ states }: DemoSession, state: string): void {
  states.add(state)
  const oldest = states.values().next().value
  if (states.size > maxStates && oldest !== undefined) states.delete(oldest)
}

function cookieOf({ headers }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|; )${cookieName}=([\\w-]+)`).exec(headers.cookie ?? '')?.[1]
}
