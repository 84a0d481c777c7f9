import formbody from '@fastify/formbody'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { DemoSiteOptions } from './demo-client.ts'
import { authMovies } from './demo-client.ts'
import {
  declinedPage,
  foreignLoginPage,
  homePage,
  notOpenPage,
  profilePage,
  troublePage,
} from './demo-pages.ts'
import { DemoSessions, rememberState } from './demo-session.ts'
import { newServer } from './serve.ts'

/**
 * A site that lets its visitors log in through Auth-movies: a whole client, to be read from top to bottom and
 * copied. The requests to Auth-movies stand in demo-client.ts, the browser's session in demo-session.ts.
 * @param options where Auth-movies is and what it knows of this site; undefined while it is still starting
 */
export function demoSite(options: () => DemoSiteOptions | undefined): FastifyPluginAsync {
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
        return homePage(request, reply, home, await service(request).availableProviders())
      let profile = await service(request).me(session.tokens.access_token)
      // An access token lives for minutes, a session for weeks: renew it and ask once more.
      if (!profile.ok && profile.trouble.status === 401) {
        const renewed = await service(request).refresh(session.tokens.refresh_token)
        if (!renewed.ok) {
          sessions.end(request, reply)
          return troublePage(request, reply, home, renewed.trouble)
        }
        session.tokens = renewed.answer
        profile = await service(request).me(renewed.answer.access_token)
      }
      if (!profile.ok) return troublePage(request, reply, home, profile.trouble)
      return profilePage(request, reply, home, { profile: profile.answer, tokens: session.tokens })
    })

    // Steps 1 and 2 of the guide: ask for the authorization URL, remember its state, send the browser there.
    app.post<{ Body: { provider: string } }>(
      '/login',
      { schema: { body: loginForm } },
      async (request, reply) => {
        const started = await service(request).startLogin(request.body.provider)
        if (!started.ok) return troublePage(request, reply, home, started.trouble)
        const session = sessions.find(request) ?? sessions.renew(request, reply)
        rememberState(session, started.answer.state)
        return reply.redirect(started.answer.authorize_url, 303)
      },
    )

    // Steps 3 and 4: the browser is back.
    app.get('/return', async (request, reply) => {
      const query = request.url.slice(request.url.indexOf('?') + 1)
      const parameters = new URLSearchParams(query)
      const state = parameters.get('state') ?? ''
      const session = sessions.find(request)

      // Login CSRF: was this login begun in this very browser? Only the site can know; Auth-movies cannot.
      // Without this check anybody could log visitors in to an account of his own by a link.
      if (session === undefined || !session.states.has(state)) {
        if (session?.tokens !== undefined) return reply.redirect(home, 303) // the same return again, by "back"
        return foreignLoginPage(request, reply, home)
      }
      if (parameters.has('error')) return declinedPage(request, reply, home, parameters)

      const finished = await service(request).finishLogin(query)
      if (!finished.ok) return troublePage(request, reply, home, finished.trouble)
      session.states.delete(state)
      sessions.renew(request, reply, finished.answer)
      return reply.redirect(home, 303)
    })

    app.post('/refresh', async (request, reply) => {
      const session = sessions.find(request)
      if (session?.tokens === undefined) return reply.redirect(home, 303)
      const renewed = await service(request).refresh(session.tokens.refresh_token)
      if (!renewed.ok) return troublePage(request, reply, home, renewed.trouble)
      session.tokens = renewed.answer
      return reply.redirect(home, 303)
    })

    app.post('/logout', async (request, reply) => {
      const tokens = sessions.find(request)?.tokens
      sessions.end(request, reply)
      const ended = tokens && (await service(request).logOut(tokens.refresh_token))
      // Logged out here in any case; there, the session ends by itself at the latest.
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

/** A demo site that runs by itself. */
export interface DemoSite {
  readonly url: string
  close(): Promise<void>
}

/** Serves the demo site alone, at the origin of its `redirectUrl` (whose path must be `/demo/return`). */
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
