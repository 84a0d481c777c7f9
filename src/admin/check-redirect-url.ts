import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { bodyProblems, jsonResponse, ref } from '../http/openapi.ts'
import { checkAccess } from '../login/check-request.ts'
import { Problem } from '../problems/problem.ts'
import { languageOf } from '../problems/reply.ts'
import { problemType } from '../problems/table.ts'
import { problemText } from '../problems/texts.ts'
import { unknownProvider } from '../providers/registry.ts'
import type { NearestRedirectUrl } from '../sites/redirect-url.ts'
import { checkRedirectUrl, hostOf, nearestRedirectUrl } from '../sites/redirect-url.ts'
import type { Site } from '../sites/site.ts'
import { searchText } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, security } from './route.ts'

const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description })

const CheckRedirectUrl = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 4_000, description: 'As the site sends it' }),
    provider: Type.Optional(searchText(64, 'With which provider; without it, with any')),
  },
  {
    $id: 'CheckRedirectUrl',
    additionalProperties: false,
    examples: [{ url: 'https://client.example/oauth/return/', provider: 'one' }],
  },
)

const CheckedRedirectUrl = Type.Object(
  {
    accepted: Type.Boolean({ description: 'Whether a login could be started with it now' }),
    site: Type.Union([Type.Object({ id: Type.String(), name: Type.String() }), Type.Null()], {
      description: 'Whose it is, or whose the nearest registered URL is; null where there is neither',
    }),
    secret_required: Type.Boolean({ description: 'Whether the start must bring the secret of the site' }),
    problem: textOrNull('The type of the problem that a start would meet'),
    detail: textOrNull('What that means, in Russian or English by Accept-Language'),
    difference: textOrNull(
      'scheme, port, case, trailing-slash, path or query: from the nearest registered URL',
    ),
    registered: textOrNull('The nearest registered URL of the same host'),
    flaw: textOrNull('Why it could not even be registered as it is'),
  },
  {
    $id: 'CheckedRedirectUrl',
    examples: [
      {
        accepted: false,
        site: { id: 'site_b3X9c1QdRk0Z', name: 'Cinema' },
        secret_required: false,
        problem: 'urn:auth-movies:problem:redirect-url-differs',
        detail:
          'This client_redirect_url is not registered; the nearest one differs in the slash at its end.',
        difference: 'trailing-slash',
        registered: 'https://client.example/oauth/return',
        flaw: null,
      },
    ],
  },
)

/** Whether a login could be started with a URL, without a user who tries. Changes nothing. */
export const checkRedirectUrlRoute: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  for (const schema of [CheckRedirectUrl, CheckedRedirectUrl]) app.addSchema(schema)

  app.post(
    '/checks/redirect-url/',
    {
      schema: {
        operationId: 'checkRedirectUrl',
        tags: ['Checks'],
        summary: 'Whether a login could be started with a URL; if not, what differs',
        security,
        consumes: ['application/json'],
        body: ref(CheckRedirectUrl),
        response: {
          200: jsonResponse('What a start would meet', CheckedRedirectUrl),
          ...adminFailures(...bodyProblems),
        },
      },
    },
    async (request) => {
      const { url, provider } = request.body
      const { problem, site, nearest, flaw } = await checkUrl(url, provider, services)
      return {
        accepted: problem === undefined,
        site: site === undefined ? null : { id: site.id, name: site.name },
        secret_required: site?.requireSecret ?? false,
        problem: problem === undefined ? null : problemType(problem.type),
        detail:
          problem === undefined
            ? null
            : problemText(problem.type, languageOf(request), problem.options.values).detail,
        difference: nearest?.kind ?? null,
        registered: nearest?.url ?? null,
        flaw: flaw ?? null,
      }
    },
  )
}

/** Whether a login could be started with a URL, and if not, why. */
interface RedirectUrlCheck {
  /** The problem that a start would get; undefined where it would be accepted. */
  readonly problem?: Problem
  /** The site that registered the URL, or the nearest one. */
  readonly site?: Site
  readonly nearest?: NearestRedirectUrl
  /** One sentence that says why the URL could not be registered as it is. */
  readonly flaw?: string
}

/**
 * Makes the checks of a start in the same order. Unlike a site, an operator learns what is registered.
 * @param provider undefined: any that the site may use
 */
async function checkUrl(
  url: string,
  provider: string | undefined,
  { sites, providers, rules }: Pick<AdminServices, 'sites' | 'providers' | 'rules'>,
): Promise<RedirectUrlCheck> {
  const site = await sites.byRedirectUrl(url)
  const host = hostOf(url)
  const nearest =
    site !== undefined || host === undefined
      ? undefined
      : nearestRedirectUrl(url, await sites.urlsOfHost(host))
  const owner = site ?? (nearest && (await sites.byRedirectUrl(nearest.url)))
  const flaw = checkRedirectUrl(url, rules)
  const problem = problemOf(provider, site, nearest, providers)
  return {
    ...(problem && { problem }),
    ...(owner && { site: owner }),
    ...(nearest && { nearest }),
    ...(flaw !== undefined && { flaw }),
  }
}

function problemOf(
  provider: string | undefined,
  site: Site | undefined,
  nearest: NearestRedirectUrl | undefined,
  providers: AdminServices['providers'],
): Problem | undefined {
  const inService = (name: string) => providers.get(name) !== undefined
  if (provider !== undefined && !inService(provider)) return unknownProvider(providers)
  if (site === undefined)
    return nearest === undefined
      ? new Problem('redirect-url-unknown')
      : new Problem('redirect-url-differs', {
          values: { difference: nearest.kind, registered: nearest.url },
        })
  try {
    checkAccess(site, provider ?? site.providers.find(inService) ?? '', site)
    return undefined
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}
