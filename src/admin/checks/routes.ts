import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import { Problem } from '../../problems/problem.ts'
import { languageOf } from '../../problems/reply.ts'
import { problemType } from '../../problems/table.ts'
import { problemText } from '../../problems/texts.ts'
import { adminFailures, jsonFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { checkProvider, outcomeSentence } from './check-provider.ts'
import { checkUrl } from './check-redirect-url.ts'
import { CheckedProvider, CheckedRedirectUrl, CheckProvider, CheckRedirectUrl } from './schemas.ts'

const tags = ['Checks']
const security = [{ adminToken: [] }]
const consumes = ['application/json']

/** Questions that an operator would otherwise need a user for. They change nothing. */
export const checkRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  for (const schema of [CheckProvider, CheckedProvider, CheckRedirectUrl, CheckedRedirectUrl])
    app.addSchema(schema)

  app.post(
    '/checks/provider/',
    {
      schema: {
        operationId: 'checkProvider',
        tags,
        summary: 'Whether a provider can be reached and takes our credentials',
        security,
        consumes,
        body: ref(CheckProvider),
        response: {
          200: {
            description: 'What a made-up code met',
            content: { 'application/json': { schema: ref(CheckedProvider) } },
          },
          ...adminFailures(...jsonFailures, 'unknown-provider'),
        },
      },
    },
    async (request) => {
      const { provider } = request.body
      const registered = services.providers.get(provider)
      if (registered === undefined) {
        const names = services.providers.list().map(({ adapter }) => adapter.name)
        throw new Problem('unknown-provider', { values: { providers: names.join(', ') } })
      }
      const { outcome, says, milliseconds } = await checkProvider(
        registered,
        services.callbackUrl(provider),
        services.deadlines.finish,
      )
      return {
        provider,
        ok: outcome === 'ok',
        outcome,
        detail: outcomeSentence(outcome, languageOf(request)),
        provider_says: says,
        duration_ms: milliseconds,
      }
    },
  )

  app.post(
    '/checks/redirect-url/',
    {
      schema: {
        operationId: 'checkRedirectUrl',
        tags,
        summary: 'Whether a login could be started with a URL; if not, what differs',
        security,
        consumes,
        body: ref(CheckRedirectUrl),
        response: {
          200: {
            description: 'What a start would meet',
            content: { 'application/json': { schema: ref(CheckedRedirectUrl) } },
          },
          ...adminFailures(...jsonFailures),
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
