import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import type { Applied } from '../../sites/apply.ts'
import { applySites } from '../../sites/apply.ts'
import { audit, audited } from '../audit.ts'
import { adminFailures, queryFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { AppliedSites, ApplyDocument, ApplyQuery } from './schemas.ts'

/** Bytes: a thousand sites and more. */
const bodyLimit = 1_048_576

/** `site apply FILE` over HTTP. */
export const applyRoute: FastifyPluginAsyncTypebox<AdminServices> = async (app, { database, rules }) => {
  for (const schema of [ApplyDocument, AppliedSites]) app.addSchema(schema)

  app.post(
    '/sites/apply/',
    {
      bodyLimit,
      // The document is judged by applySites, which says what is wrong with it and where.
      attachValidation: true,
      schema: {
        operationId: 'applySites',
        tags: ['Sites'],
        summary: 'Bring sites to what a document says, all or nothing; a site not named stays',
        security: [{ adminToken: [] }],
        querystring: ApplyQuery,
        consumes: ['application/json'],
        body: ref(ApplyDocument),
        response: {
          200: {
            description: 'What changed, or would change',
            content: { 'application/json': { schema: ref(AppliedSites) } },
          },
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
      if (dryRun) return shown(await apply())
      const applied = await audited(request, { action: 'site.apply' }, apply, () => undefined)
      for (const { id } of applied.created) audit(request, { action: 'site.add', ...(id && { site: id }) })
      for (const { id, changes } of applied.updated)
        audit(request, { action: 'site.change', site: id, changes })
      return shown(applied)
    },
  )
}

/** The same with lists that an answer may be made of. */
function shown({ dry_run, created, updated, unchanged }: Applied) {
  const list = ({ added, removed }: { added: readonly string[]; removed: readonly string[] }) => ({
    added: [...added],
    removed: [...removed],
  })
  return {
    dry_run,
    created: [...created],
    updated: updated.map(({ id, name, changes: { redirect_urls, providers, ...rest } }) => ({
      id,
      name,
      changes: {
        ...rest,
        ...(redirect_urls && { redirect_urls: list(redirect_urls) }),
        ...(providers && { providers: list(providers) }),
      },
    })),
    unchanged: [...unchanged],
  }
}
