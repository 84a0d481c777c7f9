import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse, oneOf, ref } from '../http/openapi.ts'
import type { Applied } from '../sites/apply.ts'
import { applySites } from '../sites/apply.ts'
import { SitesDocument } from '../sites/site.ts'
import { audit, audited } from './audit.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, queryFailures, security } from './route.ts'
import { siteExample, siteFields, storedExample } from './sites.ts'

/** The document of `site apply FILE`. */
const ApplyDocument = Type.Object(
  { ...SitesDocument.properties },
  { $id: 'SitesDocument', additionalProperties: false, examples: [{ sites: [siteExample] }] },
)
/** Strict: a misspelt dry_run would change the sites. */
const ApplyQuery = Type.Object(
  {
    dry_run: Type.Optional(oneOf(['true', 'false'], { description: 'true: only say what would change' })),
  },
  { additionalProperties: false },
)

const replaced = <
  T extends typeof siteFields.name | typeof siteFields.disabled | typeof siteFields.limit_factor,
>(
  value: T,
) => Type.Optional(Type.Object({ from: value, to: value }))
const listed = Type.Optional(
  Type.Object({ added: Type.Array(Type.String()), removed: Type.Array(Type.String()) }),
)
const named = { id: Type.String(), name: Type.String() }

/** What a document changed, or would change. */
const AppliedSites = Type.Object(
  {
    dry_run: Type.Boolean(),
    created: Type.Array(
      Type.Object({
        id: Type.Optional(Type.String({ description: 'Absent in a dry run where it would be made' })),
        name: Type.String(),
        secret: Type.Optional(Type.String({ description: 'Shown once, here; absent in a dry run' })),
      }),
    ),
    updated: Type.Array(
      Type.Object({
        ...named,
        changes: Type.Object({
          name: replaced(Type.String()),
          redirect_urls: listed,
          providers: listed,
          require_secret: replaced(Type.Boolean()),
          limit_factor: replaced(Type.Integer()),
          disabled: replaced(Type.Boolean()),
          post_logout_redirect_urls: listed,
          native: replaced(Type.Boolean()),
          id_token_alg: replaced(Type.String()),
        }),
      }),
    ),
    unchanged: Type.Array(Type.Object(named)),
  },
  {
    $id: 'AppliedSites',
    examples: [
      {
        dry_run: true,
        created: [{ name: 'Theatre' }],
        updated: [
          {
            id: storedExample.id,
            name: 'Cinema',
            changes: { providers: { added: [], removed: ['another'] } },
          },
        ],
        unchanged: [],
      },
    ],
  },
)

/** Bytes: enough for more than a thousand sites. */
const bodyLimit = 1_048_576

/** `site apply FILE` over HTTP. */
export const applySitesRoute: FastifyPluginAsyncTypebox<AdminServices> = async (app, { database, rules }) => {
  for (const schema of [ApplyDocument, AppliedSites]) app.addSchema(schema)

  app.post(
    '/sites/apply/',
    {
      bodyLimit,
      // applySites checks the document: its message says what is wrong, and where.
      attachValidation: true,
      schema: {
        operationId: 'applySites',
        tags: ['Sites'],
        summary: 'Bring sites to what a document says, all or nothing; a site not named stays',
        security,
        querystring: ApplyQuery,
        consumes: ['application/json'],
        body: ref(ApplyDocument),
        response: {
          200: jsonResponse('What changed, or would change', AppliedSites),
          ...adminFailures(
            'malformed-request',
            ...queryFailures,
            'body-too-large',
            'unsupported-media-type',
            'site-invalid',
            'site-conflict',
          ),
        },
      },
    },
    async (request) => {
      const { validationError } = request
      if (validationError?.validationContext === 'querystring') throw validationError
      const dryRun = request.query.dry_run === 'true'
      const apply = () => applySites(database, request.body, { ...rules, dryRun })
      if (dryRun) return toJson(await apply())
      const applied = await audited(request, { action: 'site.apply' }, apply, () => undefined)
      for (const { id } of applied.created) audit(request, { action: 'site.add', ...(id && { site: id }) })
      for (const { id, changes } of applied.updated)
        audit(request, { action: 'site.change', site: id, changes })
      return toJson(applied)
    },
  )
}

/** Copies the readonly lists: the type of the response has mutable ones. */
function toJson({ dry_run, created, updated, unchanged }: Applied) {
  const list = ({ added, removed }: { added: readonly string[]; removed: readonly string[] }) => ({
    added: [...added],
    removed: [...removed],
  })
  return {
    dry_run,
    created: [...created],
    updated: updated.map(
      ({ id, name, changes: { redirect_urls, providers, post_logout_redirect_urls, ...rest } }) => ({
        id,
        name,
        changes: {
          ...rest,
          ...(redirect_urls && { redirect_urls: list(redirect_urls) }),
          ...(providers && { providers: list(providers) }),
          ...(post_logout_redirect_urls && { post_logout_redirect_urls: list(post_logout_redirect_urls) }),
        },
      }),
    ),
    unchanged: [...unchanged],
  }
}
