import { Type } from 'typebox'
import { ref } from '../../http/openapi.ts'
import { SitesDocument } from '../../sites/site.ts'

const example = {
  name: 'Cinema',
  redirect_urls: ['https://client.example/oauth/return'],
  providers: ['one', 'another'],
  require_secret: false,
  limit_factor: 1,
  disabled: false,
}
const stored = {
  id: 'site_b3X9c1QdRk0Z',
  ...example,
  created_at: '2026-11-25T10:00:00.000Z',
  live_secrets: 1,
}

// Lengths and forms are the site's own rules: src/sites refuses with a sentence that says what is wrong.
const fields = {
  name: Type.String({ description: 'Unique; for people' }),
  redirect_urls: Type.Array(Type.String(), { description: 'Exact URLs, unique over all sites; 1 to 100' }),
  providers: Type.Array(Type.String(), { description: 'Those that this site may use' }),
  require_secret: Type.Boolean({ description: 'Whether every request must bring the secret of the site' }),
  limit_factor: Type.Integer({
    description: 'The limits of the site are times this: 1 to 1000, 1 by default',
  }),
  disabled: Type.Boolean({ description: 'Whether nobody can log in, and no session can be used' }),
}

/** A site as it is. */
export const AdminSite = Type.Object(
  {
    id: Type.String(),
    ...fields,
    created_at: Type.String({ format: 'date-time' }),
    live_secrets: Type.Integer({ description: '2 after a rotation: both are accepted' }),
  },
  { $id: 'AdminSite', examples: [stored] },
)

export const AdminSites = Type.Object(
  { sites: Type.Array(ref(AdminSite)) },
  { $id: 'AdminSites', description: 'By name', examples: [{ sites: [stored] }] },
)

/** A new site: what is left out gets its default. */
export const NewSite = Type.Object(
  {
    name: fields.name,
    redirect_urls: fields.redirect_urls,
    providers: Type.Optional(fields.providers),
    require_secret: Type.Optional(fields.require_secret),
    limit_factor: Type.Optional(fields.limit_factor),
    disabled: Type.Optional(fields.disabled),
  },
  { $id: 'NewSite', additionalProperties: false, examples: [example] },
)

const secret = Type.String({ description: 'Shown once, here: only its digest is kept' })
const secretExample = 'hV5x1k0sUe3mZ8w2TqLr9yPcAa4BbNn6JjDdGgFfHh0'

export const AddedSite = Type.Object(
  { ...AdminSite.properties, secret },
  { $id: 'AddedSite', examples: [{ ...stored, secret: secretExample }] },
)

export const NewSecret = Type.Object(
  { id: Type.String(), secret },
  { $id: 'NewSecret', examples: [{ id: stored.id, secret: secretExample }] },
)

/** What is left out stays; a list replaces the list. */
export const SiteChange = Type.Partial(NewSite, {
  $id: 'SiteChange',
  additionalProperties: false,
  minProperties: 1,
  examples: [{ disabled: true }],
})

export const RedirectUrl = Type.Object(
  { url: Type.String() },
  { $id: 'RedirectUrl', additionalProperties: false, examples: [{ url: 'https://client.example/return' }] },
)
export const RedirectUrlQuery = Type.Object(
  { url: Type.String({ description: 'Percent-encoded' }) },
  { additionalProperties: false },
)

export const SitePath = Type.Object({ id: Type.String({ description: 'Of the site' }) })
export const SiteProviderPath = Type.Object({
  id: Type.String({ description: 'Of the site' }),
  provider: Type.String({ description: 'Its name' }),
})

/** The document of `site apply FILE`. */
export const ApplyDocument = Type.Object(
  { ...SitesDocument.properties },
  { $id: 'SitesDocument', additionalProperties: false, examples: [{ sites: [example] }] },
)
/** Strict: a misspelt dry_run would change the sites. */
export const ApplyQuery = Type.Object(
  {
    dry_run: Type.Optional(
      Type.Unsafe<'true' | 'false'>({
        type: 'string',
        enum: ['true', 'false'],
        description: 'true: only say what would change',
      }),
    ),
  },
  { additionalProperties: false },
)

const replaced = <T extends typeof fields.name | typeof fields.disabled | typeof fields.limit_factor>(
  value: T,
) => Type.Optional(Type.Object({ from: value, to: value }))
const listed = Type.Optional(
  Type.Object({ added: Type.Array(Type.String()), removed: Type.Array(Type.String()) }),
)
const named = { id: Type.String(), name: Type.String() }

/** What a document changed, or would change. */
export const AppliedSites = Type.Object(
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
            id: stored.id,
            name: 'Cinema',
            changes: { providers: { added: [], removed: ['another'] } },
          },
        ],
        unchanged: [],
      },
    ],
  },
)
