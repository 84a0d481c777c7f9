import { Type } from 'typebox'
import { credentialParameters } from '../http/credentials.ts'

const example = 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzaWQiOiIwMTkz….Qz1t…'

/** Longer than any token of ours: what is longer is not one. */
const token = (description: string) => Type.String({ minLength: 1, maxLength: 12_000, description })

export const RefreshTokens = Type.Object(
  {
    refresh_token: token('The latest refresh token of the session'),
    grant_type: Type.Optional(
      Type.String({ maxLength: 64, description: 'refresh_token; standard OAuth clients send it' }),
    ),
    ...credentialParameters,
  },
  { $id: 'RefreshTokens', examples: [{ refresh_token: example }] },
)

export const RevokeToken = Type.Object(
  {
    token: token('A refresh or access token: its session ends'),
    token_type_hint: Type.Optional(Type.String({ maxLength: 64, description: 'Not needed (RFC 7009 §2.1)' })),
    ...credentialParameters,
  },
  { $id: 'RevokeToken', examples: [{ token: example }] },
)

export const IntrospectToken = Type.Object(
  {
    token: token('A refresh or access token of your own site'),
    token_type_hint: Type.Optional(Type.String({ maxLength: 64, description: 'Not needed (RFC 7662 §2.1)' })),
    ...credentialParameters,
  },
  { $id: 'IntrospectToken', examples: [{ token: example }] },
)

/** RFC 7662 §2.2; `active: false` stands alone. */
export const Introspection = Type.Object(
  {
    active: Type.Boolean(),
    client_id: Type.Optional(Type.String()),
    sub: Type.Optional(Type.String({ description: 'The user' })),
    token_type: Type.Optional(Type.String({ description: 'Of an access token alone' })),
    iss: Type.Optional(Type.String()),
    aud: Type.Optional(
      Type.Array(Type.String(), { description: 'Always a list here, of one for a refresh token' }),
    ),
    iat: Type.Optional(Type.Integer()),
    exp: Type.Optional(Type.Integer()),
    jti: Type.Optional(Type.String()),
    sid: Type.Optional(Type.String({ description: 'The session' })),
  },
  { $id: 'Introspection', examples: [{ active: false }] },
)

const SessionId = Type.String({ format: 'uuid' })

export const SessionList = Type.Object(
  {
    sessions: Type.Array(
      Type.Object({
        id: SessionId,
        provider: Type.String(),
        created_at: Type.String({ format: 'date-time' }),
        last_used_at: Type.String({ format: 'date-time', description: 'The last refresh' }),
        expires_at: Type.String({ format: 'date-time', description: 'Unless it is refreshed before' }),
        current: Type.Boolean({ description: 'The session that asks' }),
      }),
    ),
  },
  {
    $id: 'SessionList',
    description: 'The sessions of this user at this site',
    examples: [
      {
        sessions: [
          {
            id: '01936f0e-7b3c-7c4e-9d52-0c3c5f1e2a11',
            provider: 'one',
            created_at: '2026-11-25T10:00:00.000Z',
            last_used_at: '2026-11-25T10:10:00.000Z',
            expires_at: '2026-12-25T10:10:00.000Z',
            current: true,
          },
        ],
      },
    ],
  },
)

export const SessionPath = Type.Object({ id: Type.String({ maxLength: 64 }) })
