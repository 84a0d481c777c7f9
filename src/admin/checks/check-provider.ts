import { randomBytes } from 'node:crypto'
import type { Language } from '../../problems/texts.ts'
import type { AuthorizationGrant, ProviderAdapter } from '../../providers/provider.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import type { RegisteredProvider } from '../../providers/registry.ts'
import type { checkOutcomes } from './schemas.ts'

type Outcome = (typeof checkOutcomes)[number]

/** What a made-up code met. */
export interface ProviderCheck {
  readonly outcome: Outcome
  /** The failure as the log has it: the provider's own words, no secret. */
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

/** What an outcome means, and what to look at. */
export function outcomeSentence(outcome: Outcome, language: Language): string {
  return sentences[outcome][language]
}

/**
 * Sends a made-up code: where it comes back as the provider's own "bad code", address, credentials and network are
 * right, and no user was needed. Through the guard, as each login: with the circuit open nothing is sent.
 * @param deadline milliseconds
 */
export async function checkProvider(
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

/** As long as real codes, so that none is refused for its form. */
function madeUpGrant(adapter: ProviderAdapter, redirectUri: string): AuthorizationGrant {
  return {
    code: randomBytes(8).toString('hex'),
    redirectUri,
    nonce: randomBytes(16).toString('base64url'),
    ...(adapter.pkce && { codeVerifier: randomBytes(32).toString('base64url') }),
    callbackParameters: Object.fromEntries(
      Object.keys(adapter.callbackParameters).map((name) => [name, randomBytes(8).toString('hex')]),
    ),
  }
}
