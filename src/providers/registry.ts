import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, oneOf, problemResponsesWithoutStore } from '../http/openapi.ts'
import { Problem } from '../problems/problem.ts'
import type { Guard } from './guard.ts'
import type { ProviderAdapter } from './provider.ts'

/** A provider in service. */
export interface RegisteredProvider {
  readonly adapter: ProviderAdapter
  readonly guard: Guard
}

/** The configured providers. Each is registered by its own plugin. */
export interface ProviderRegistry {
  /** @throws {Error} if a provider of this name is registered already */
  register(adapter: ProviderAdapter, guard: Guard): void
  /** undefined for any other string, including `constructor` and `__proto__`. */
  get(name: string): RegisteredProvider | undefined
  /** In the order of registration. */
  list(): readonly RegisteredProvider[]
}

/** An empty registry. */
export function createProviderRegistry(): ProviderRegistry {
  const providers = new Map<string, RegisteredProvider>()
  return {
    register(adapter, guard) {
      if (providers.has(adapter.name)) throw new Error(`Two providers are named "${adapter.name}".`)
      providers.set(adapter.name, { adapter, guard })
    },
    get: (name) => providers.get(name),
    list: () => [...providers.values()],
  }
}

/** The problem of a request that names no provider in service: it lists those that are. */
export function unknownProvider(providers: ProviderRegistry): Problem {
  const names = providers.list().map(({ adapter }) => adapter.name)
  return new Problem('unknown-provider', { values: { providers: names.join(', ') } })
}

const ProviderList = Type.Object(
  {
    providers: Type.Array(
      Type.Object({
        name: Type.String({ description: 'The value of `provider`' }),
        title: Type.Object({ ru: Type.String(), en: Type.String() }, { description: 'For a button' }),
        available: Type.Boolean({ description: 'Whether a login may be started through it now' }),
        gives: Type.Array(oneOf(['name', 'login', 'email']), {
          description: 'What it can tell of a person; what is not in the list stays null',
        }),
      }),
    ),
  },
  {
    $id: 'ProviderList',
    examples: [
      {
        providers: [
          { name: 'one', title: { ru: 'Один', en: 'One' }, available: true, gives: ['name', 'email'] },
        ],
      },
    ],
  },
)

/** The public list of the configured providers. */
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
          200: jsonResponse('The providers', ProviderList),
          ...problemResponsesWithoutStore(),
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
          gives: [...adapter.gives],
        })),
      }
    },
  )
}
