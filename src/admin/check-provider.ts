import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { bodyProblems, jsonResponse, oneOf, ref } from '../http/openapi.ts'
import { languageOf } from '../problems/reply.ts'
import type { Language } from '../problems/texts.ts'
import type { AuthorizationGrant, ProviderAdapter } from '../providers/provider.ts'
import { ProviderFailure } from '../providers/provider.ts'
import type { RegisteredProvider } from '../providers/registry.ts'
import { unknownProvider } from '../providers/registry.ts'
import { searchText } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, security } from './route.ts'

/** What a check of a provider can find: `ok`, `accepted`, or the kind of the ProviderFailure. */
export const checkOutcomes = [
  'ok',
  'accepted',
  'invalid_response',
  'misconfigured',
  'rate_limited',
  'timeout',
  'unavailable',
] as const

type Outcome = (typeof checkOutcomes)[number]

const CheckProvider = Type.Object(
  { provider: searchText(64, 'Its name') },
  { $id: 'CheckProvider', additionalProperties: false, examples: [{ provider: 'one' }] },
)

const CheckedProvider = Type.Object(
  {
    provider: Type.String(),
    ok: Type.Boolean({ description: 'Whether address, credentials and network are right' }),
    outcome: oneOf(checkOutcomes),
    detail: Type.String({ description: 'What that means, in Russian or English by Accept-Language' }),
    provider_says: Type.Union([Type.String(), Type.Null()], {
      description: 'Where and how it answered, or how the network failed; null where it is ok',
    }),
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

/** Whether a provider works, which an operator could otherwise learn only from a user's login. Changes nothing. */
export const checkProviderRoute: FastifyPluginAsyncTypebox<AdminServices> = async (app, services) => {
  for (const schema of [CheckProvider, CheckedProvider]) app.addSchema(schema)

  app.post(
    '/checks/provider/',
    {
      schema: {
        operationId: 'checkProvider',
        tags: ['Checks'],
        summary: 'Whether a provider can be reached and takes our credentials',
        security,
        consumes: ['application/json'],
        body: ref(CheckProvider),
        response: {
          200: jsonResponse('What a made-up code met', CheckedProvider),
          ...adminFailures(...bodyProblems, 'unknown-provider'),
        },
      },
    },
    async (request) => {
      const { provider } = request.body
      const registered = services.providers.get(provider)
      if (registered === undefined) throw unknownProvider(services.providers)
      const { outcome, says, milliseconds } = await checkProvider(
        registered,
        services.callbackUrl(provider),
        services.deadlines.finish,
      )
      return {
        provider,
        ok: outcome === 'ok',
        outcome,
        detail: outcomeSentence(outcome, languageOf(request)),
        provider_says: says,
        duration_ms: milliseconds,
      }
    },
  )
}

/** How the provider responded to a made-up code. */
interface ProviderCheck {
  readonly outcome: Outcome
  /** The failure as the log names it: the provider's own words, no secret. */
  readonly says: string | null
  readonly milliseconds: number
}

const sentences: Readonly<Record<Outcome, Readonly<Record<Language, string>>>> = {
  ok: {
    en: 'The provider refused a made-up code, as it should: address, credentials and network are right.',
    ru: 'Провайдер, как и должен, отклонил вымышленный код: адрес, учётные данные и сеть в порядке.',
  },
  accepted: {
    en: 'The provider took a made-up code, which no provider may: check its TOKEN_URL and USERINFO_URL.',
    ru: 'Провайдер принял вымышленный код, чего быть не должно: проверьте его TOKEN_URL и USERINFO_URL.',
  },
  invalid_response: {
    en: 'The answer is not one of an OAuth token endpoint, or refuses the request itself: check its TOKEN_URL, TOKEN_AUTH and PKCE, and the settings of the application at the provider.',
    ru: 'Ответ не похож на ответ OAuth или отклоняет сам запрос: проверьте TOKEN_URL, TOKEN_AUTH и PKCE, а также настройки приложения у провайдера.',
  },
  misconfigured: {
    en: 'The provider refuses our credentials or settings: compare its CLIENT_ID, CLIENT_SECRET and TOKEN_AUTH with the application at the provider.',
    ru: 'Провайдер не принимает учётные данные или настройки: сверьте CLIENT_ID, CLIENT_SECRET и TOKEN_AUTH с приложением у провайдера.',
  },
  rate_limited: {
    en: 'The provider asks to come back later: too many requests reach it from here. Repeat the check in a minute.',
    ru: 'Провайдер просит прийти позже: отсюда к нему идёт слишком много запросов. Повторите проверку через минуту.',
  },
  timeout: {
    en: 'The provider did not answer in time: look whether it works, and at firewall and proxy on the way.',
    ru: 'Провайдер не ответил вовремя: выясните, работает ли он, и проверьте межсетевой экран и прокси на пути.',
  },
  unavailable: {
    en: 'The provider cannot be reached or fails: check name resolution, firewall, HTTPS_PROXY and certificates; provider_says tells which.',
    ru: 'Провайдер недоступен или отвечает ошибкой: проверьте DNS, межсетевой экран, HTTPS_PROXY и сертификаты; причина указана в provider_says.',
  },
}

/** What an outcome means, and what to check. */
function outcomeSentence(outcome: Outcome, language: Language): string {
  return sentences[outcome][language]
}

/**
 * Sends a made-up code to the provider. If the provider refuses the code as such, then its URL, our credentials and
 * the network are right, and no user was needed. Goes through the guard as every login does: with the circuit open
 * nothing is sent.
 * @param deadline milliseconds
 */
async function checkProvider(
  { adapter, guard }: RegisteredProvider,
  redirectUri: string,
  deadline: number,
): Promise<ProviderCheck> {
  const from = performance.now()
  const done = (outcome: Outcome, says: string | null): ProviderCheck => ({
    outcome,
    says,
    milliseconds: Math.round(performance.now() - from),
  })
  try {
    const signal = AbortSignal.timeout(deadline)
    await guard.execute(() => adapter.identify(madeUpGrant(adapter, redirectUri), signal))
    return done('accepted', null)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    return error.kind === 'invalid_grant' ? done('ok', null) : done(error.kind, error.message)
  }
}

/** Its values are as long as real ones, so that none is refused for its form. */
function madeUpGrant(adapter: ProviderAdapter, redirectUri: string): AuthorizationGrant {
  return {
    code: randomBytes(8).toString('hex'),
    state: randomBytes(32).toString('base64url'),
    redirectUri,
    nonce: randomBytes(16).toString('base64url'),
    ...(adapter.pkce && { codeVerifier: randomBytes(32).toString('base64url') }),
    callbackParameters: Object.fromEntries(
      Object.entries(adapter.callbackParameters)
        .filter(([, need]) => need === 'required')
        .map(([name]) => [name, randomBytes(8).toString('hex')]),
    ),
  }
}
