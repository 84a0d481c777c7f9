import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { bodyProblems, jsonResponse, ref } from '../http/openapi.ts'
import { siteToJson } from '../sites/site.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, queryFailures, security } from './route.ts'
import { AdminSite, changeAndAudit, SitePath } from './sites.ts'

const RedirectUrl = Type.Object(
  { url: Type.String() },
  { $id: 'RedirectUrl', additionalProperties: false, examples: [{ url: 'https://client.example/return' }] },
)
const RedirectUrlQuery = Type.Object(
  { url: Type.String({ description: 'Percent-encoded' }) },
  { additionalProperties: false },
)

const SiteProviderPath = Type.Object({
  id: Type.String({ description: 'Of the site' }),
  provider: Type.String({ description: 'Its name' }),
})

const tags = ['Sites']
const site = jsonResponse('The site as it is now', AdminSite)

/** Single redirect URLs and providers of a site: add and remove. Repeating a request changes nothing. */
export const sitePartRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  for (const schema of [AdminSite, RedirectUrl]) app.addSchema(schema)

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
          ...adminFailures(...bodyProblems, 'site-invalid', 'site-conflict', 'site-not-found'),
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
