import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, ref } from '../http/openapi.ts'
import { siteToJson } from '../sites/site.ts'
import { rotateSecret } from '../sites/store.ts'
import { audited } from './audit.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, jsonFailures, queryFailures, security } from './route.ts'
import { AdminSite, changeAndAudit, SitePath, secret, secretExample, storedExample } from './sites.ts'

export const NewSecret = Type.Object(
  { id: Type.String(), secret },
  { $id: 'NewSecret', examples: [{ id: storedExample.id, secret: secretExample }] },
)

export const RedirectUrl = Type.Object(
  { url: Type.String() },
  { $id: 'RedirectUrl', additionalProperties: false, examples: [{ url: 'https://client.example/return' }] },
)
export const RedirectUrlQuery = Type.Object(
  { url: Type.String({ description: 'Percent-encoded' }) },
  { additionalProperties: false },
)

export const SiteProviderPath = Type.Object({
  id: Type.String({ description: 'Of the site' }),
  provider: Type.String({ description: 'Its name' }),
})

const tags = ['Sites']
const site = jsonResponse('The site as it is now', AdminSite)

/** One redirect URL, one provider, the secrets. Repeating a request for a URL or a provider changes nothing. */
export const sitePartRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  for (const schema of [AdminSite, NewSecret, RedirectUrl]) app.addSchema(schema)

  app.post(
    '/sites/:id/secrets/',
    {
      schema: {
        operationId: 'rotateSecret',
        tags,
        summary: 'A further secret; the one before goes on working, an older one no longer',
        security,
        params: SitePath,
        response: {
          201: jsonResponse('The secret', NewSecret),
          ...adminFailures('site-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const attempt = { action: 'site.rotate-secret', site: id }
      return reply.code(201).send(await audited(request, attempt, () => rotateSecret(services.database, id)))
    },
  )

  app.post(
    '/sites/:id/redirect-urls/',
    {
      schema: {
        operationId: 'addRedirectUrl',
        tags,
        summary: 'Register one more redirect URL',
        security,
        params: SitePath,
        consumes: ['application/json'],
        body: ref(RedirectUrl),
        response: {
          200: site,
          ...adminFailures(...jsonFailures, 'site-invalid', 'site-conflict', 'site-not-found'),
        },
      },
    },
    async (request) => {
      const { url } = request.body
      const add = ({ redirectUrls: urls }: { redirectUrls: readonly string[] }) =>
        urls.includes(url) ? {} : { redirectUrls: [...urls, url] }
      return siteToJson(await changeAndAudit(request, services, request.params.id, add))
    },
  )

  app.delete(
    '/sites/:id/redirect-urls/',
    {
      schema: {
        operationId: 'removeRedirectUrl',
        tags,
        summary: 'Strike one redirect URL; the last one stays',
        security,
        params: SitePath,
        querystring: RedirectUrlQuery,
        response: {
          200: site,
          ...adminFailures('missing-parameter', ...queryFailures, 'site-invalid', 'site-not-found'),
        },
      },
    },
    async (request) => {
      const { url } = request.query
      const remove = ({ redirectUrls: urls }: { redirectUrls: readonly string[] }) =>
        urls.includes(url) ? { redirectUrls: urls.filter((one) => one !== url) } : {}
      return siteToJson(await changeAndAudit(request, services, request.params.id, remove))
    },
  )

  app.put(
    '/sites/:id/providers/:provider/',
    {
      schema: {
        operationId: 'allowProvider',
        tags,
        summary: 'Let the site use a provider',
        security,
        params: SiteProviderPath,
        response: { 200: site, ...adminFailures('site-invalid', 'site-not-found') },
      },
    },
    async (request) => {
      const { id, provider } = request.params
      const allow = ({ providers }: { providers: readonly string[] }) =>
        providers.includes(provider) ? {} : { providers: [...providers, provider] }
      return siteToJson(await changeAndAudit(request, services, id, allow))
    },
  )

  app.delete(
    '/sites/:id/providers/:provider/',
    {
      schema: {
        operationId: 'forbidProvider',
        tags,
        summary: 'No longer let the site use a provider; the last one stays',
        security,
        params: SiteProviderPath,
        response: { 200: site, ...adminFailures('site-invalid', 'site-not-found') },
      },
    },
    async (request) => {
      const { id, provider } = request.params
      const forbid = ({ providers }: { providers: readonly string[] }) =>
        providers.includes(provider) ? { providers: providers.filter((one) => one !== provider) } : {}
      return siteToJson(await changeAndAudit(request, services, id, forbid))
    },
  )
}
