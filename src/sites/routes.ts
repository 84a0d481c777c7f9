import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { finishWithin } from '../deadlines.ts'
import { jsonResponse, oneOf, problemResponses } from '../http/openapi.ts'
import type { RateLimits } from '../http/rate-limit.ts'
import { limits as perMinute } from '../http/rate-limit.ts'
import { idTokenAlgs } from '../keys/material.ts'
import type { SigningKeys } from '../keys/ring.ts'
import { requireSite } from './authenticate.ts'
import type { Sites } from './lookup.ts'
import type { Site } from './site.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description })

const perKind = {
  start: Type.Integer(),
  finish: Type.Integer(),
  refresh: Type.Integer(),
  revoke: Type.Integer(),
}

/** What a site may know of itself; never a secret. */
const OwnSite = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    disabled: Type.Boolean({ description: 'true: the operator has switched all logins of the site off' }),
    redirect_urls: Type.Array(Type.String(), {
      description: 'Registered; what a start sends must equal one of them, character for character',
    }),
    providers: Type.Array(Type.String(), { description: 'Those that this site may use' }),
    require_secret: Type.Boolean({ description: 'true: start, finish, refresh and revoke need the secret' }),
    post_logout_redirect_urls: Type.Array(Type.String(), {
      description: 'Where a logout by OpenID Connect may send the browser',
    }),
    native: Type.Boolean({
      description: 'true: an application on people’s own devices, which has PKCE in place of the secret',
    }),
    id_token_alg: oneOf(idTokenAlgs, { description: 'Signs your ID tokens' }),
    live_secrets: count('2 while the secret is being replaced'),
    limits: Type.Union(
      [
        Type.Object({
          factor: count('Set by the operator; in the limits of the site below it is applied already'),
          without_secret: Type.Object(perKind, { description: 'For the site, from one address' }),
          with_secret: Type.Object(
            { ...perKind, introspect: Type.Integer() },
            { description: 'For the site, from anywhere' },
          ),
          visitor: count(
            'Starts for the site and one visitor, where a start with the secret names it by user_ip',
          ),
          session: count('Requests about one session: me, its sessions, introspection'),
          wrong_secret: count('For the site, from one address'),
          unknown_state: count('From one address; a good finish is never refused by it'),
          failed_finish: count(
            'Finishes of living logins that failed their checks, from one address; a good one is never refused by it',
          ),
          unknown_redirect_url: count(
            'Starts with a URL that nobody registered, from one address; a registered one is never refused by it',
          ),
          invalid_token: count(
            'Requests with a forged token, from one address; a good token is never refused by it',
          ),
          site: count('Questions of the site about itself'),
        }),
        Type.Null(),
      ],
      { description: 'Requests a minute; null where the operator has switched the limits off' },
    ),
    lifetimes: Type.Object(
      {
        login: count('From the start until the person is back'),
        finish: count('From then until the finish'),
        access_token: count('From its issue'),
        refresh_token: count('From the last refresh'),
        refresh_grace: count('For so long a replaced refresh token is still good for a repetition'),
        session: count('From the login, however often it is refreshed'),
      },
      { description: 'Seconds' },
    ),
    signing_keys: Type.Object(
      {
        current: Type.String(),
        next: Type.Union([Type.String(), Type.Null()], {
          description: 'Published already, signs later; null while no change is due',
        }),
      },
      { description: 'The `kid` of the keys of access tokens' },
    ),
  },
  {
    $id: 'OwnSite',
    examples: [
      {
        id: 'k3J9s0pQ2xVb',
        name: 'Cinema',
        disabled: false,
        redirect_urls: ['https://site.example/oauth/return'],
        providers: ['one', 'another'],
        require_secret: false,
        post_logout_redirect_urls: [],
        native: false,
        id_token_alg: 'RS256',
        live_secrets: 1,
        limits: {
          factor: 1,
          without_secret: { start: 6000, finish: 6000, refresh: 6000, revoke: 6000 },
          with_secret: { start: 60000, finish: 60000, refresh: 60000, revoke: 60000, introspect: 60000 },
          visitor: 60,
          session: 600,
          wrong_secret: 30,
          unknown_state: 600,
          failed_finish: 6000,
          unknown_redirect_url: 600,
          invalid_token: 600,
          site: 120,
        },
        lifetimes: {
          login: 600,
          finish: 600,
          access_token: 900,
          refresh_token: 2592000,
          refresh_grace: 10,
          session: 15552000,
        },
        signing_keys: { current: '1a2b3c', next: null },
      },
    ],
  },
)

/** What the route works with. */
export interface SiteRouteOptions {
  readonly sites: Sites
  readonly limits: RateLimits
  readonly keys: Pick<SigningKeys, 'summary'>
  /** Seconds, except `rateLimit`: whether there are limits at all. */
  readonly config: {
    readonly loginTtl: number
    readonly accessTokenTtl: number
    readonly refreshTokenTtl: number
    readonly refreshGrace: number
    readonly sessionMaxAge: number
    readonly rateLimit: boolean
  }
}

/** The settings and limits of the site that asks. */
export const siteRoutes: FastifyPluginAsyncTypebox<SiteRouteOptions> = async (app, options) => {
  app.addSchema(OwnSite)
  const { config, keys } = options
  const lifetimes = {
    login: config.loginTtl,
    finish: finishWithin / 1000,
    access_token: config.accessTokenTtl,
    refresh_token: config.refreshTokenTtl,
    refresh_grace: config.refreshGrace,
    session: config.sessionMaxAge,
  }

  app.get(
    '/api/v1/site/',
    {
      schema: {
        operationId: 'getSite',
        tags: ['Sites'],
        summary: 'The settings and limits of your site, a disabled one too',
        security: [{ site: [] }],
        response: {
          200: jsonResponse('Your site', OwnSite),
          ...problemResponses('secret-required', 'wrong-credentials', 'rate-limited'),
        },
      },
    },
    async (request) => {
      const site = await requireSite(request.headers.authorization, request.ip, options)
      request.site = site.id
      const { current, next } = keys.summary().access
      return {
        id: site.id,
        name: site.name,
        disabled: site.disabled,
        redirect_urls: [...site.redirectUrls],
        providers: [...site.providers],
        require_secret: site.requireSecret,
        post_logout_redirect_urls: [...site.postLogoutRedirectUrls],
        native: site.native,
        id_token_alg: site.idTokenAlg,
        live_secrets: site.secretHashes.length,
        limits: config.rateLimit ? limitsOf(site) : null,
        lifetimes,
        signing_keys: { current, next },
      }
    },
  )
}

/** Every limit that can refuse a request of the site, per minute. */
function limitsOf({ limitFactor: factor }: Site) {
  const kinds = (limit: number) => ({
    start: limit * factor,
    finish: limit * factor,
    refresh: limit * factor,
    revoke: limit * factor,
  })
  return {
    factor,
    without_secret: kinds(perMinute.unauthenticated),
    with_secret: {
      ...kinds(perMinute.authenticated),
      introspect: perMinute.authenticated * factor,
    },
    visitor: perMinute.visitor * factor,
    session: perMinute.session,
    wrong_secret: perMinute.wrongSecret,
    unknown_state: perMinute.unknownState,
    failed_finish: perMinute.failedFinish,
    unknown_redirect_url: perMinute.unknownSite,
    invalid_token: perMinute.invalidToken,
    site: perMinute.siteQuestion,
  }
}
