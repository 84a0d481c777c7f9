import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import { siteToJson } from '../../sites/site.ts'
import { rotateSecret } from '../../sites/store.ts'
import { audited } from '../audit.ts'
import { adminFailures, jsonFailures, queryFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { changeSite } from './routes.ts'
import { AdminSite, NewSecret, RedirectUrl, RedirectUrlQuery, SitePath, SiteProviderPath } from './schemas.ts'

const tags = ['Sites']
const security = [{ adminToken: [] }]
const site = {
  description: 'The site as it is now',
  content: { 'application/json': { schema: ref(AdminSite) } },
}

/** One redirect URL, one provider, the secrets. Asking twice for the same changes nothing. */
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
          201: { description: 'The secret', content: { 'application/json': { schema: ref(NewSecret) } } },
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
      return siteToJson(await changeSite(request, services, request.params.id, add))
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
      const strike = ({ redirectUrls: urls }: { redirectUrls: readonly string[] }) =>
        urls.includes(url) ? { redirectUrls: urls.filter((one) => one !== url) } : {}
      return siteToJson(await changeSite(request, services, request.params.id, strike))
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
      return siteToJson(await changeSite(request, services, id, allow))
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
      return siteToJson(await changeSite(request, services, id, forbid))
    },
  )
}
