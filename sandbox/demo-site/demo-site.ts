import formbody from '@fastify/formbody'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { newServer } from '../web.ts'
import type { DemoSiteOptions } from './auth-movies-client.ts'
import { authMovies } from './auth-movies-client.ts'
import type { KnownProvider } from './pages.ts'
import { declinedPage, foreignLoginPage, homePage, notOpenPage, profilePage, troublePage } from './pages.ts'
import { DemoSessions, rememberState } from './session.ts'

/**
 * A site that lets its visitors log in through Auth-movies: a complete client to read from top to bottom and to copy. The
 * requests to Auth-movies are in auth-movies-client.ts, the browser's session in session.ts.
 * @param options where Auth-movies is and how this site is registered; undefined while Auth-movies is starting
 * @param known the providers of which this site has a mark; they are offered where Auth-movies does not say which it has
 */
export function demoSite(
  options: () => DemoSiteOptions | undefined,
  known: readonly KnownProvider[] = [],
): FastifyPluginAsync {
  return async (app) => {
    const sessions = new DemoSessions()
    const home = `${app.prefix}/`
    await app.register(formbody)

    app.addHook('onRequest', async (request, reply) => {
      if (options() === undefined) return notOpenPage(request, reply)
      return undefined
    })
    const service = (request: FastifyRequest) => {
      const known = options()
      if (known === undefined) throw new Error('The demo site is not open yet')
      return authMovies(known, request.headers['accept-language'] ?? 'en')
    }

    app.get('/', async (request, reply) => {
      const session = sessions.find(request)
      if (session?.tokens === undefined)
        return homePage(request, reply, home, { known, offered: await service(request).offeredProviders() })
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
      return profilePage(request, reply, home, { profile: profile.body, tokens: session.tokens })
    })

    // Steps 1 and 2 of the guide: ask for the authorization URL, remember its state, send the browser there.
    app.post<{ Body: { provider: string } }>(
      '/login',
      { schema: { body: loginForm } },
      async (request, reply) => {
        const started = await service(request).startLogin(request.body.provider)
        if (!started.ok) return troublePage(request, reply, home, started.trouble)
        const session = sessions.find(request) ?? sessions.restart(request, reply)
        rememberState(session, started.body.state)
        return reply.redirect(started.body.authorize_url, 303)
      },
    )

    // Steps 3 and 4 of the guide: the browser comes back.
    app.get('/return', async (request, reply) => {
      const query = request.url.slice(request.url.indexOf('?') + 1)
      const parameters = new URLSearchParams(query)
      const state = parameters.get('state') ?? ''
      const session = sessions.find(request)

      // Login CSRF: was this login started in this browser? Only the site can know; Auth-movies cannot.
      // Without this check an attacker could log visitors in to the attacker's account by a link.
      if (session === undefined || !session.states.has(state)) {
        if (session?.tokens !== undefined) return reply.redirect(home, 303) // the same callback again, by the browser's "back"
        return foreignLoginPage(request, reply, home)
      }
      if (parameters.has('error')) return declinedPage(request, reply, home, parameters)

      const finished = await service(request).finishLogin(query)
      if (!finished.ok) return troublePage(request, reply, home, finished.trouble)
      session.states.delete(state)
      sessions.restart(request, reply, finished.body)
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
  properties: { provider: { type: 'string' } },
} as const

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
