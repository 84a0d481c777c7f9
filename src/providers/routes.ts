import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { failuresWithoutStore, ref } from '../http/openapi.ts'
import type { ProviderRegistry } from './registry.ts'

const ProviderList = Type.Object(
  {
    providers: Type.Array(
      Type.Object({
        name: Type.String({ description: 'The value of `provider`' }),
        title: Type.Object({ ru: Type.String(), en: Type.String() }, { description: 'For a button' }),
        available: Type.Boolean({ description: 'Whether a login may be started through it now' }),
      }),
    ),
  },
  {
    $id: 'ProviderList',
    examples: [{ providers: [{ name: 'one', title: { ru: 'Один', en: 'One' }, available: true }] }],
  },
)

/** The providers that this deployment offers. */
export const providerRoutes: FastifyPluginAsyncTypebox<{ providers: ProviderRegistry }> = async (
  app,
  { providers },
) => {
  app.addSchema(ProviderList)
  app.get(
    '/api/v1/oauth/providers/',
    {
      schema: {
        operationId: 'listProviders',
        tags: ['Providers'],
        summary: 'The enabled providers and whether a login may be started through each now',
        security: [],
        response: {
          200: {
            description: 'The providers',
            content: { 'application/json': { schema: ref(ProviderList) } },
          },
          ...failuresWithoutStore(),
        },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=5')
      return {
        providers: providers.list().map(({ adapter, guard }) => ({
          name: adapter.name,
          title: { ...adapter.title },
          available: guard.works,
        })),
      }
    },
  )
}
