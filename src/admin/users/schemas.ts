import { Type } from 'typebox'
import { ref } from '../../http/openapi.ts'
import { deletionReasons } from '../../users/personal-data.ts'
import { Next, pageQuery, searchText } from '../pagination.ts'

const id = Type.String({ format: 'uuid' })
const time = Type.String({ format: 'date-time' })
const text = Type.Union([Type.String(), Type.Null()], {
  description: 'null where the provider does not tell',
})
const timeOrNull = (description: string) => Type.Union([time, Type.Null()], { description })

const userExample = {
  id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
  name: 'Анна Петрова',
  login: 'anna',
  email: 'anna@mail.example',
  email_verified: null,
  disabled_at: null,
  created_at: '2026-11-25T10:00:00.000Z',
  updated_at: '2026-11-25T10:00:00.000Z',
  identities: [{ provider: 'one', subject: '1234567890', created_at: '2026-11-25T10:00:00.000Z' }],
}

/** A person, and the accounts by which providers know them. */
export const AdminUser = Type.Object(
  {
    id,
    name: text,
    login: text,
    email: text,
    email_verified: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'null: the provider does not say',
    }),
    disabled_at: timeOrNull('null: enabled'),
    created_at: time,
    updated_at: time,
    identities: Type.Array(
      Type.Object({ provider: Type.String(), subject: Type.String(), created_at: time }),
    ),
  },
  { $id: 'AdminUser', examples: [userExample] },
)

/** In a body, not in an address: addresses end up in the logs of whatever stands between. */
export const UserSearch = Type.Object(
  {
    id: Type.Optional(id),
    provider: Type.Optional(searchText(64, 'With `subject`')),
    subject: Type.Optional(searchText(255, "The provider's own id of the account; with `provider`")),
    email: Type.Optional(searchText(254, 'The whole address')),
    login: Type.Optional(searchText(255, 'The whole login, as the provider writes it')),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: '50 without it' })),
    after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before' })),
  },
  {
    $id: 'UserSearch',
    additionalProperties: false,
    description: 'Everything given must fit; nothing given finds everybody',
    examples: [{ email: 'anna@mail.example' }, { provider: 'one', subject: '1234567890' }],
  },
)

export const UserPage = Type.Object(
  { users: Type.Array(ref(AdminUser)), next: Next },
  { $id: 'UserPage', description: 'Newest first', examples: [{ users: [userExample], next: null }] },
)

export const UserChange = Type.Object(
  { disabled: Type.Boolean({ description: 'Whether the person can log in and use sessions' }) },
  { $id: 'UserChange', additionalProperties: false, examples: [{ disabled: true }] },
)

export const UserPath = Type.Object({ id: Type.String({ description: 'Of the user' }) })

/** Everything that is held on a person. */
export const PersonalData = Type.Object(
  {
    exported_at: time,
    user: ref(AdminUser),
    sessions: Type.Array(
      Type.Object({
        id,
        site_id: Type.String(),
        site_name: Type.String(),
        provider: Type.String(),
        refreshes: Type.Integer(),
        created_at: time,
        last_used_at: time,
        expires_at: time,
        ends_at: time,
        revoked_at: timeOrNull('null: not ended before its time'),
      }),
      { description: 'Those that ended stay for a day' },
    ),
  },
  {
    $id: 'PersonalData',
    examples: [
      {
        exported_at: '2026-11-25T12:00:00.000Z',
        user: userExample,
        sessions: [
          {
            id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a12',
            site_id: 'site_b3X9c1QdRk0Z',
            site_name: 'Cinema',
            provider: 'one',
            refreshes: 3,
            created_at: '2026-11-25T10:00:00.000Z',
            last_used_at: '2026-11-25T11:00:00.000Z',
            expires_at: '2026-12-25T11:00:00.000Z',
            ends_at: '2027-05-24T10:00:00.000Z',
            revoked_at: null,
          },
        ],
      },
    ],
  },
)

const reason = { type: 'string', enum: [...deletionReasons] } as const
const reference = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}$',
  description: 'Your own number of the request; never a name or an address',
})

export const DeleteUser = Type.Object(
  {
    reason: Type.Unsafe<(typeof deletionReasons)[number]>({ ...reason, description: 'For the journal' }),
    reference: Type.Optional(reference),
  },
  {
    $id: 'DeleteUser',
    additionalProperties: false,
    examples: [{ reason: 'person-request', reference: 'PD-2026/118' }],
  },
)

const deletionExample = {
  id: '01936f0e-9b3c-7c4e-9d52-0c3c5f1e2a13',
  user_id: userExample.id,
  reason: 'person-request',
  reference: 'PD-2026/118',
  sessions: 2,
  deleted_at: '2026-11-25T12:00:00.000Z',
}

/** A line of the journal. */
export const DeletedUser = Type.Object(
  {
    id,
    user_id: Type.String({ format: 'uuid', description: 'By which sites knew the person' }),
    reason: Type.Unsafe<string>(reason),
    reference: Type.Union([Type.String(), Type.Null()]),
    sessions: Type.Integer({ description: 'How many went with the person' }),
    deleted_at: time,
  },
  { $id: 'DeletedUser', description: 'Kept for three years', examples: [deletionExample] },
)

export const DeletionQuery = Type.Object(pageQuery, { additionalProperties: false })
export const DeletionPage = Type.Object(
  { deletions: Type.Array(ref(DeletedUser)), next: Next },
  {
    $id: 'DeletionPage',
    description: 'Newest first',
    examples: [{ deletions: [deletionExample], next: null }],
  },
)
