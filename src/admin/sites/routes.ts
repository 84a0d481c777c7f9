import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { ref } from '../../http/openapi.ts'
import { changesBetween } from '../../sites/apply.ts'
import type { SiteFields, SiteRecord } from '../../sites/site.ts'
import { siteToJson } from '../../sites/site.ts'
import { addSite, getSite, listSites, removeSite, updateSite } from '../../sites/store.ts'
import { audited } from '../audit.ts'
import { adminFailures, jsonFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { AddedSite, AdminSite, AdminSites, NewSite, SiteChange, SitePath } from './schemas.ts'

const tags = ['Sites']
const security = [{ adminToken: [] }]
const answer = {
  description: 'The site as it is now',
  content: { 'application/json': { schema: ref(AdminSite) } },
}

/**
 * Changes a site; the audit line says what changed. Where nothing did, there is none.
 * @throws {SiteError} as updateSite
 */
export async function changeSite(
  request: FastifyRequest,
  { database, rules }: AdminServices,
  id: string,
  change: (before: SiteRecord) => Partial<SiteFields>,
): Promise<SiteRecord> {
  let before: SiteRecord | undefined
  return audited(
    request,
    { action: 'site.change', site: id },
    () => updateSite(database, id, (site) => change((before = site)), rules),
    (after) => {
      const changes = before === undefined ? {} : changesBetween(before, after)
      return Object.keys(changes).length === 0 ? undefined : { changes }
    },
  )
}

/** What a body sets of a site. */
function fieldsOf({ redirect_urls, require_secret, limit_factor, ...rest }: SiteBody): Partial<SiteFields> {
  return {
    ...rest,
    ...(redirect_urls !== undefined && { redirectUrls: redirect_urls }),
    ...(require_secret !== undefined && { requireSecret: require_secret }),
    ...(limit_factor !== undefined && { limitFactor: limit_factor }),
  }
}

type SiteBody = Partial<Pick<SiteFields, 'name' | 'providers' | 'disabled'>> & {
  readonly redirect_urls?: readonly string[]
  readonly require_secret?: boolean
  readonly limit_factor?: number
}

/** Sites: list, add, read, change, remove. */
export const siteRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  const { database, rules } = services
  for (const schema of [AdminSite, AdminSites, NewSite, AddedSite, SiteChange]) app.addSchema(schema)

  app.get(
    '/sites/',
    {
      schema: {
        operationId: 'listSites',
        tags,
        summary: 'Every site; can be applied as a document again',
        security,
        response: {
          200: { description: 'The sites', content: { 'application/json': { schema: ref(AdminSites) } } },
          ...adminFailures(),
        },
      },
    },
    async () => ({ sites: (await listSites(database)).map(siteToJson) }),
  )

  app.post(
    '/sites/',
    {
      schema: {
        operationId: 'addSite',
        tags,
        summary: 'Register a site; its secret is shown once',
        security,
        consumes: ['application/json'],
        body: ref(NewSite),
        response: {
          201: {
            description: 'The site and its secret',
            content: { 'application/json': { schema: ref(AddedSite) } },
          },
          ...adminFailures(...jsonFailures, 'site-invalid', 'site-conflict'),
        },
      },
    },
    async (request, reply) => {
      const { name, redirect_urls: redirectUrls, ...rest } = request.body
      const { secret, ...site } = await audited(
        request,
        { action: 'site.add' },
        () => addSite(database, { ...fieldsOf(rest), name, redirectUrls }, rules),
        ({ id }) => ({ site: id }),
      )
      return reply.code(201).send({ ...siteToJson(site), secret })
    },
  )

  app.get(
    '/sites/:id/',
    {
      schema: {
        operationId: 'getSite',
        tags,
        summary: 'One site',
        security,
        params: SitePath,
        response: { 200: answer, ...adminFailures('site-not-found') },
      },
    },
    async ({ params }) => siteToJson(await getSite(database, params.id)),
  )

  app.patch(
    '/sites/:id/',
    {
      schema: {
        operationId: 'changeSite',
        tags,
        summary: 'Change what is given; a list replaces the list. Holds everywhere after 2 s',
        security,
        params: SitePath,
        consumes: ['application/json'],
        body: ref(SiteChange),
        response: {
          200: answer,
          ...adminFailures(...jsonFailures, 'site-invalid', 'site-conflict', 'site-not-found'),
        },
      },
    },
    async (request) =>
      siteToJson(await changeSite(request, services, request.params.id, () => fieldsOf(request.body))),
  )

  app.delete(
    '/sites/:id/',
    {
      schema: {
        operationId: 'removeSite',
        tags,
        summary: 'Remove a site for good: its sessions end, its URLs are free',
        security,
        params: SitePath,
        response: { 204: { description: 'It is removed', type: 'null' }, ...adminFailures('site-not-found') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await audited(request, { action: 'site.remove', site: id }, () => removeSite(database, id))
      return reply.code(204).send(null)
    },
  )
}
