import { randomBytes } from 'node:crypto'
import type { Dispatcher, Pool } from 'undici'

/** The steps that are measured apart; `login` is a whole one: start, callback and finish. */
export const steps = ['start', 'callback', 'finish', 'refresh', 'me', 'login'] as const
export type Step = (typeof steps)[number]

/** What one step gives to the next: state, code, tokens, cookies. */
export type Ticket = Readonly<Record<string, string>>

/** Sends the requests of one step and checks their responses. */
type Send = (pool: Pool, ticket: Ticket) => Promise<Ticket>

/** How each step is sent. A step that a program does not have is absent. */
export type Flow = Readonly<Partial<Record<Step, Send>>> & {
  /** Makes a ticket for the first step where that is none of a login; it is not measured. */
  readonly prepare?: Send
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }

/**
 * The requests of a site's backend and of a browser, as this service and its floors take them.
 * @param person who logs in next: the code, and with the bench's provider also the person's id
 */
export function serviceFlow(person: () => string = newPerson) {
  const start = async (pool: Pool) => {
    const fields = { provider: 'yandex', client_redirect_url: 'https://site.example/return' }
    const { state = '' } = await post(pool, '/api/v1/oauth/authorize-url/', fields)
    return { state, code: person() }
  }
  const callback = async (pool: Pool, { state = '', code = '' }: Ticket) => {
    const path = `/api/v1/oauth/callback/yandex?state=${state}&code=${code}`
    await expectStatus(303, await pool.request({ method: 'GET', path }))
    return { state, code }
  }
  const finish = (pool: Pool, { state = '', code = '' }: Ticket) =>
    post(pool, '/api/v1/oauth/authorize/', { provider: 'yandex', state, code })
  return {
    start,
    callback,
    finish,
    refresh: (pool, { refresh_token = '' }) => post(pool, '/api/v1/oauth/refresh/', { refresh_token }),
    me: async (pool, ticket) => {
      const headers = { authorization: `Bearer ${ticket.access_token ?? ''}` }
      await expectStatus(200, await pool.request({ method: 'GET', path: '/api/v1/me/', headers }))
      return ticket
    },
    login: async (pool) => await finish(pool, await callback(pool, await start(pool))),
  } as const satisfies Flow
}

/** Somebody who has never logged in: the most expensive case, as rows are made rather than found. */
export function newPerson(): string {
  return randomBytes(8).toString('hex')
}

/**
 * Reads a response to its end.
 * @throws {Error} with its body, where its status is another
 */
export async function expectStatus(status: number, answer: Dispatcher.ResponseData): Promise<string> {
  const text = await answer.body.text()
  if (answer.statusCode !== status)
    throw new Error(`${answer.statusCode} instead of ${status}: ${text.slice(0, 500)}`)
  return text
}

async function post(pool: Pool, path: string, fields: Ticket): Promise<Ticket> {
  const body = new URLSearchParams(fields).toString()
  const json: unknown = JSON.parse(
    await expectStatus(200, await pool.request({ method: 'POST', path, headers: form, body })),
  )
  return Object.fromEntries(Object.entries(Object(json)).map(([name, value]) => [name, String(value)]))
}
