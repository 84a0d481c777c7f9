import { Type } from 'typebox'
import { Next, pageQuery, searchText } from '../pagination.ts'

const id = Type.String({ format: 'uuid' })
const time = (description: string) => Type.String({ format: 'date-time', description })

const example = {
  id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a12',
  user_id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
  site_id: 'site_b3X9c1QdRk0Z',
  provider: 'one',
  refreshes: 3,
  created_at: '2026-11-25T10:00:00.000Z',
  last_used_at: '2026-11-25T11:00:00.000Z',
  expires_at: '2026-12-25T11:00:00.000Z',
  ends_at: '2027-05-24T10:00:00.000Z',
  ended_at: null,
}

/** A session, whosever it is. */
const AdminSession = Type.Object({
  id,
  user_id: id,
  site_id: Type.String(),
  provider: Type.String(),
  refreshes: Type.Integer(),
  created_at: time('The login'),
  last_used_at: time('The last refresh'),
  expires_at: time('Unless it is refreshed before'),
  ends_at: time('Whatever its use'),
  ended_at: Type.Union([time('When it ended'), Type.Null()], { description: 'null: it lives' }),
})

export const AdminSessionQuery = Type.Object(
  {
    user: Type.Optional(Type.String({ format: 'uuid', description: 'Of this user' })),
    site: Type.Optional(searchText(64, 'At this site')),
    living: Type.Optional(
      Type.Unsafe<'true' | 'false'>({
        type: 'string',
        enum: ['true', 'false'],
        description: 'true: without those that have ended',
      }),
    ),
    ...pageQuery,
  },
  { additionalProperties: false },
)

export const AdminSessionPage = Type.Object(
  { sessions: Type.Array(AdminSession), next: Next },
  {
    $id: 'AdminSessionPage',
    description: 'Newest first; those that ended stay for a day',
    examples: [{ sessions: [example], next: null }],
  },
)

export const AdminSessionPath = Type.Object({ id: Type.String({ description: 'Of the session' }) })

export const EndedSessions = Type.Object(
  { ended: Type.Integer({ minimum: 0, description: 'How many' }) },
  { $id: 'EndedSessions', examples: [{ ended: 2 }] },
)
