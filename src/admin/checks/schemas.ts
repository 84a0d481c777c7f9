import { Type } from 'typebox'
import { searchText } from '../pagination.ts'

export const checkOutcomes = [
  'ok',
  'accepted',
  'invalid_response',
  'misconfigured',
  'rate_limited',
  'timeout',
  'unavailable',
] as const

const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description })

export const CheckProvider = Type.Object(
  { provider: searchText(64, 'Its name') },
  { $id: 'CheckProvider', additionalProperties: false, examples: [{ provider: 'one' }] },
)

export const CheckedProvider = Type.Object(
  {
    provider: Type.String(),
    ok: Type.Boolean({ description: 'Whether address, credentials and network are right' }),
    outcome: Type.Unsafe<(typeof checkOutcomes)[number]>({ type: 'string', enum: [...checkOutcomes] }),
    detail: Type.String({ description: 'What that means, in Russian or English by Accept-Language' }),
    provider_says: textOrNull('Where and how it answered, or how the network failed; null where it is ok'),
    duration_ms: Type.Integer({ minimum: 0 }),
  },
  {
    $id: 'CheckedProvider',
    examples: [
      {
        provider: 'one',
        ok: false,
        outcome: 'misconfigured',
        detail: 'The provider refuses our credentials: compare its CLIENT_ID and CLIENT_SECRET.',
        provider_says: 'one token: HTTP 401, invalid_client',
        duration_ms: 140,
      },
    ],
  },
)

export const CheckRedirectUrl = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 4_000, description: 'As the site sends it' }),
    provider: Type.Optional(searchText(64, 'With which provider; without it, with any')),
  },
  {
    $id: 'CheckRedirectUrl',
    additionalProperties: false,
    examples: [{ url: 'https://client.example/oauth/return/', provider: 'one' }],
  },
)

export const CheckedRedirectUrl = Type.Object(
  {
    accepted: Type.Boolean({ description: 'Whether a login could be started with it now' }),
    site: Type.Union([Type.Object({ id: Type.String(), name: Type.String() }), Type.Null()], {
      description: 'Whose it is, or whose the nearest registered URL is; null where there is neither',
    }),
    secret_required: Type.Boolean({ description: 'Whether the start must bring the secret of the site' }),
    problem: textOrNull('The type of the problem that a start would meet'),
    detail: textOrNull('What that means, in Russian or English by Accept-Language'),
    difference: textOrNull(
      'scheme, port, case, trailing-slash, path or query: from the nearest registered URL',
    ),
    registered: textOrNull('The nearest registered URL of the same host'),
    flaw: textOrNull('Why it could not even be registered as it is'),
  },
  {
    $id: 'CheckedRedirectUrl',
    examples: [
      {
        accepted: false,
        site: { id: 'site_b3X9c1QdRk0Z', name: 'Cinema' },
        secret_required: false,
        problem: 'urn:auth-movies:problem:redirect-url-differs',
        detail:
          'This client_redirect_url is not registered; the nearest one differs in the slash at its end.',
        difference: 'trailing-slash',
        registered: 'https://client.example/oauth/return',
        flaw: null,
      },
    ],
  },
)
