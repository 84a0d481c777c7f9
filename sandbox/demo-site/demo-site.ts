import formbody from '@fastify/formbody'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { newServer } from '../web.ts'
import type { DemoSiteOptions, Outcome } from './auth-movies-client.ts'
import { authMovies, field } from './auth-movies-client.ts'
import type { PlayedFault } from './demo-fault.ts'
import type { Ended, ReturnRecord, SeenProfile } from './login-record.ts'
import { LoginJournal } from './login-record.ts'
import type { KnownProvider } from './pages.ts'
import { declinedPage, foreignLoginPage, homePage, notOpenPage, profilePage, troublePage } from './pages.ts'
import { DemoSessions, rememberState } from './session.ts'

/** What the sandbox tells the demo site of faults, and what the demo site tells of its logins. */
export interface DemoSandbox {
  /** The fault of the next login; undefined where it has none. @param asked the one that the visitor chose */
  readonly playFault: (provider: string, asked: string | undefined) => PlayedFault | undefined
  /** The `login_hint` that makes the provider's double play a fault. */
  readonly hintOfFault: (id: string) => string
  readonly journal: LoginJournal
}

const withoutSandbox = (): DemoSandbox => ({
  playFault: () => undefined,
  hintOfFault: (id) => id,
  journal: new LoginJournal(),
})

/**
 * A site that lets its visitors log in through Auth-movies: a complete client to read from top to bottom and to copy. The
 * requests to Auth-movies are in auth-movies-client.ts, the browser's session in session.ts. What a site of yours does not
 * need: the record of what happened (login-record.ts) and the faults that it has on purpose (demo-fault.ts).
 * @param options where Auth-movies is and how this site is registered; undefined while Auth-movies is starting
 * @param known the providers of which this site has a mark; they are offered where Auth-movies does not say which it has
 */
export function demoSite(
  options: () => DemoSiteOptions | undefined,
  known: readonly KnownProvider[] = [],
  { playFault, hintOfFault, journal }: DemoSandbox = withoutSandbox(),
): FastifyPluginAsync {
  return async (app) => {
    const sessions = new DemoSessions()
    const home = `${app.prefix}/`
    await app.register(formbody)

    app.addHook('onRequest', async (request, reply) => {
      if (options() === undefined) return notOpenPage(request, reply)
      return undefined
    })
    const service = (request: FastifyRequest, changed: Partial<DemoSiteOptions> = {}) => {
      const known = options()
      if (known === undefined) throw new Error('The demo site is not open yet')
      return authMovies({ ...known, ...changed }, request.headers['accept-language'] ?? 'en')
    }

    app.get<{ Querystring: { fault?: string } }>('/', async (request, reply) => {
      const session = sessions.find(request)
      const { login } = session ?? {}
      if (session?.tokens === undefined) {
        if (login !== undefined) login.home = 'buttons'
        const offered = await service(request).offeredProviders()
        return homePage(request, reply, home, { known, offered, fault: request.query.fault })
      }
      let profile = await service(request).me(session.tokens.access_token)
      // An access token lives for minutes, a session for weeks: refresh it and ask again.
      if (!profile.ok && profile.trouble.status === 401) {
        const refreshed = await service(request).refresh(session.tokens.refresh_token)
        if (!refreshed.ok) {
          sessions.end(request, reply)
          return troublePage(request, reply, home, refreshed.trouble)
        }
        session.tokens = refreshed.body
        profile = await service(request).me(refreshed.body.access_token)
      }
      if (!profile.ok) return troublePage(request, reply, home, profile.trouble)
      if (login !== undefined) journal.showed(login, seenProfile(profile.body))
      return profilePage(request, reply, home, { profile: profile.body, tokens: session.tokens, login })
    })

    // Steps 1 and 2 of the guide: ask for the authorization URL, remember its state, send the browser there.
    app.post<{ Body: { provider: string; fault?: string } }>(
      '/login',
      { schema: { body: loginForm } },
      async (request, reply) => {
        const { provider, fault: asked } = request.body
        const fault = playFault(provider, asked)
        const login = journal.begin(provider, fault)
        const started = await service(request).startLogin(provider, fault && hintOfFault(fault.id))
        login.started = endedOf(started)
        if (!started.ok) return troublePage(request, reply, home, started.trouble, login)
        journal.name(login, started.body.state)
        if (fault?.demo === 'lose-session') sessions.end(request, reply)
        else {
          const session = sessions.find(request) ?? sessions.restart(request, reply)
          session.login = login
          rememberState(session, started.body.state)
          if (fault?.demo === 'second-tab') {
            const other = await service(request).startLogin(provider)
            if (other.ok) rememberState(session, other.body.state)
          }
        }
        return reply.redirect(started.body.authorize_url, 303)
      },
    )

    // Steps 3 and 4 of the guide: the browser comes back.
    app.get('/return', async (request, reply) => {
      const query = request.url.slice(request.url.indexOf('?') + 1)
      const parameters = new URLSearchParams(query)
      const state = parameters.get('state') ?? ''
      const session = sessions.find(request)
      const login = journal.byState(state) ?? session?.login
      const seen = (record: Omit<ReturnRecord, 'answered'>) => {
        const { statusCode: answered } = reply
        login?.returns.push({ ...record, answered })
      }

      // Login CSRF: was this login started in this browser? Only the site can know; Auth-movies cannot.
      // Without this check an attacker could log visitors in to the attacker's account by a link.
      if (session === undefined || !session.states.has(state)) {
        // The same callback again, by the browser's "back" or an extension.
        const repeated = session?.tokens !== undefined && journal.byState(state) !== undefined
        const answer = repeated
          ? reply.code(303).header('location', home).send()
          : foreignLoginPage(request, reply, home, login)
        seen({ state: repeated ? 'repeated' : 'foreign', stateKept: false })
        return answer
      }
      if (login !== undefined) login.waiting = session.states.size
      const error = parameters.get('error')
      if (error !== null) {
        const answer = declinedPage(request, reply, home, parameters, login)
        seen({ state: 'own', error, stateKept: true })
        return answer
      }

      const wrong = login?.fault?.demo === 'wrong-secret' ? { siteSecret: 'not-the-secret-of-this-site' } : {}
      const finished = await service(request, wrong).finishLogin(query)
      const finish = endedOf(finished)
      if (!finished.ok) {
        const answer = troublePage(request, reply, home, finished.trouble, login)
        seen({ state: 'own', finish, stateKept: true })
        return answer
      }
      session.states.delete(state)
      sessions.restart(request, reply, finished.body)
      seen({ state: 'own', finish, stateKept: false })
      return reply.redirect(home, 303)
    })

    app.post('/refresh', async (request, reply) => {
      const session = sessions.find(request)
      if (session?.tokens === undefined) return reply.redirect(home, 303)
      const refreshed = await service(request).refresh(session.tokens.refresh_token)
      if (!refreshed.ok) return troublePage(request, reply, home, refreshed.trouble)
      session.tokens = refreshed.body
      return reply.redirect(home, 303)
    })

    app.post('/logout', async (request, reply) => {
      const tokens = sessions.find(request)?.tokens
      sessions.end(request, reply)
      const ended = tokens && (await service(request).logOut(tokens.refresh_token))
      // The visitor is logged out here in any case; the session at Auth-movies expires by itself if revoking failed.
      if (ended?.ok === false) return troublePage(request, reply, home, ended.trouble)
      return reply.redirect(home, 303)
    })
  }
}

const loginForm = {
  type: 'object',
  required: ['provider'],
  properties: { provider: { type: 'string' }, fault: { type: 'string' } },
} as const

function endedOf(outcome: Outcome<unknown>): Ended {
  if (outcome.ok) return { status: 200 }
  const { status, type } = outcome.trouble
  return { status, ...(type !== undefined && { problem: type }) }
}

function seenProfile(profile: unknown): Omit<SeenProfile, 'emailBefore'> {
  return {
    id: field(profile, 'id') ?? '',
    name: field(profile, 'name') ?? null,
    email: field(profile, 'email') ?? null,
  }
}

/** A demo site that runs without the rest of the sandbox. */
export interface DemoSite {
  readonly url: string
  close(): Promise<void>
}

/** Serves only the demo site, at the origin of its `redirectUrl` (whose path must be `/demo/return`). */
export async function startDemoSite(options: DemoSiteOptions): Promise<DemoSite> {
  const { hostname, port, origin, pathname } = new URL(options.redirectUrl)
  if (pathname !== '/demo/return')
    throw new Error('The redirect URL of the demo site must end with /demo/return')
  const app = await newServer()
  await app.register(
    demoSite(() => options),
    { prefix: '/demo' },
  )
  await app.listen({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
  return {
    url: `${origin}/demo/`,
    close: async () => {
      await app.close()
    },
  }
}
