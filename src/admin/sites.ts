import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { bodyProblems, jsonResponse, oneOf, ref } from '../http/openapi.ts'
import { idTokenAlgs } from '../keys/material.ts'
import { deleteSessionsOfSite } from '../sessions/all-sessions.ts'
import { changesBetween } from '../sites/apply.ts'
import type { SiteFields, SiteRecord } from '../sites/site.ts'
import { fieldsFromJson, siteToJson } from '../sites/site.ts'
import { addSite, getSite, listSites, removeSite, rotateSecret, updateSite } from '../sites/store.ts'
import { audited } from './audit.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, security } from './route.ts'

/** What an operator sets of the site in the examples. */
export const siteExample = {
  name: 'Cinema',
  redirect_urls: ['https://client.example/oauth/return'],
  providers: ['one', 'another'],
  require_secret: false,
  limit_factor: 1,
  disabled: false,
  post_logout_redirect_urls: ['https://client.example/goodbye'],
  native: false,
  id_token_alg: 'RS256' as const,
}
/** The same site as it is stored. */
export const storedExample = {
  id: 'site_b3X9c1QdRk0Z',
  ...siteExample,
  created_at: '2026-11-25T10:00:00.000Z',
  live_secrets: 1,
}

/** What an operator sets of a site. Lengths and forms are checked by src/sites/validate.ts, whose messages say what is wrong. */
export const siteFields = {
  name: Type.String({ description: 'Unique; for people' }),
  redirect_urls: Type.Array(Type.String(), { description: 'Exact URLs, unique over all sites; 1 to 100' }),
  providers: Type.Array(Type.String(), { description: 'Those that this site may use' }),
  require_secret: Type.Boolean({ description: 'Whether every request must bring the secret of the site' }),
  limit_factor: Type.Integer({
    description: 'The limits of the site are times this: 1 to 1000, 1 by default',
  }),
  disabled: Type.Boolean({ description: 'Whether nobody can log in, and no session can be used' }),
  post_logout_redirect_urls: Type.Array(Type.String(), {
    description: 'Where a logout by OpenID Connect may send the browser: exact URLs, none by default',
  }),
  native: Type.Boolean({
    description:
      'An application on people’s own devices (RFC 8252): PKCE is demanded, the secret is not accepted',
  }),
  id_token_alg: oneOf(idTokenAlgs, { description: 'Signs the ID tokens of the site; RS256 by default' }),
}

/** A site as it is stored. */
export const AdminSite = Type.Object(
  {
    id: Type.String(),
    ...siteFields,
    created_at: Type.String({ format: 'date-time' }),
    live_secrets: Type.Integer({ description: '2 after a rotation: both are accepted' }),
  },
  { $id: 'AdminSite', examples: [storedExample] },
)

const AdminSites = Type.Object(
  { sites: Type.Array(ref(AdminSite)) },
  { $id: 'AdminSites', description: 'By name', examples: [{ sites: [storedExample] }] },
)

/** A new site: what is left out gets its default. */
const NewSite = Type.Object(
  {
    name: siteFields.name,
    redirect_urls: siteFields.redirect_urls,
    providers: Type.Optional(siteFields.providers),
    require_secret: Type.Optional(siteFields.require_secret),
    limit_factor: Type.Optional(siteFields.limit_factor),
    disabled: Type.Optional(siteFields.disabled),
    post_logout_redirect_urls: Type.Optional(siteFields.post_logout_redirect_urls),
    native: Type.Optional(siteFields.native),
    id_token_alg: Type.Optional(siteFields.id_token_alg),
  },
  { $id: 'NewSite', additionalProperties: false, examples: [siteExample] },
)

const secret = Type.String({ description: 'Shown once, here: only its digest is kept' })
const secretExample = 'hV5x1k0sUe3mZ8w2TqLr9yPcAa4BbNn6JjDdGgFfHh0'

const AddedSite = Type.Object(
  { ...AdminSite.properties, secret },
  { $id: 'AddedSite', examples: [{ ...storedExample, secret: secretExample }] },
)

const NewSecret = Type.Object(
  { id: Type.String(), secret },
  { $id: 'NewSecret', examples: [{ id: storedExample.id, secret: secretExample }] },
)

/** What is left out stays; a list replaces the list. */
const SiteChange = Type.Partial(NewSite, {
  $id: 'SiteChange',
  additionalProperties: false,
  minProperties: 1,
  examples: [{ disabled: true }],
})

/** The path parameters of one site. */
export const SitePath = Type.Object({ id: Type.String({ description: 'Of the site' }) })

const tags = ['Sites']
const site = jsonResponse('The site as it is now', AdminSite)

/**
 * Changes a site and writes an audit line that says what changed; where nothing changed, there is no line.
 * @throws {SiteError} as updateSite
 */
export async function changeAndAudit(
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

/** Sites: list, add, read, change, remove, give a further secret. */
export const adminSiteRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  const { database, rules } = services
  for (const schema of [AdminSite, AdminSites, NewSite, AddedSite, SiteChange, NewSecret])
    app.addSchema(schema)

  app.get(
    '/sites/',
    {
      schema: {
        operationId: 'listSites',
        tags,
        summary: 'Every site; can be applied as a document again',
        security,
        response: {
          200: jsonResponse('The sites', AdminSites),
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
          201: jsonResponse('The site and its secret', AddedSite),
          ...adminFailures(...bodyProblems, 'site-invalid', 'site-conflict'),
        },
      },
    },
    async (request, reply) => {
      const { name, redirect_urls: redirectUrls } = request.body
      const { secret, ...site } = await audited(
        request,
        { action: 'site.add' },
        () => addSite(database, { ...fieldsFromJson(request.body), name, redirectUrls }, rules),
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
        response: { 200: site, ...adminFailures('site-not-found') },
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
          200: site,
          ...adminFailures(...bodyProblems, 'site-invalid', 'site-conflict', 'site-not-found'),
        },
      },
    },
    async (request) =>
      siteToJson(
        await changeAndAudit(request, services, request.params.id, () => fieldsFromJson(request.body)),
      ),
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
      await audited(request, { action: 'site.remove', site: id }, () =>
        removeSite(database, id, (siteId) => deleteSessionsOfSite(database, siteId)),
      )
      return reply.code(204).send(null)
    },
  )

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
      return reply.code(201).send(await audited(request, attempt, () => rotateSecret(database, id)))
    },
  )
}
