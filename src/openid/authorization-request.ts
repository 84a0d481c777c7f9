import type { AnswerStyle } from '../login/authorization-response.ts'
import type { LoginWishes } from '../login/start.ts'
import { Problem } from '../problems/problem.ts'
import type { ParameterRule } from '../problems/table.ts'
import type { Site } from '../sites/site.ts'
import { grantedScope } from '../users/scope.ts'
import type { RequestParameters } from './parameters.ts'

/** Characters of a state or a nonce that are carried; more is refused. */
export const longestState = 2_048

/** Characters, as at the guide's own start. */
const longestHint = 255

/** The parameters that must not repeat, besides those that tell where the answer goes. */
const single = [
  'response_type',
  'scope',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'login_hint',
  'ui_locales',
  'response_mode',
  'request',
  'request_uri',
  'registration',
  'provider',
  'idp_hint',
  'kc_idp_hint',
]

/** What is not supported, and the error that says so (OpenID Connect Core §3.1.2.6). */
const unsupported = {
  request: 'request_not_supported',
  request_uri: 'request_uri_not_supported',
  registration: 'registration_not_supported',
} as const

/** How the site is answered: known before anything else is looked at, so that errors reach the site too. */
export function readStyle(parameters: RequestParameters): AnswerStyle {
  return {
    state: parameters.get('state'),
    mode: parameters.get('response_mode') === 'form_post' ? 'form_post' : 'query',
  }
}

/**
 * What an authorization request wishes of the login (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1).
 * @throws {Problem} invalid-parameter, missing-parameter, repeated-parameter; the site learns of it by a redirect
 */
export function readWishes(
  parameters: RequestParameters,
  site: Site,
  redirectUrl: string,
  style: AnswerStyle,
): LoginWishes {
  parameters.refuseRepeated(single)
  for (const [name, error] of Object.entries(unsupported))
    if (parameters.get(name) !== undefined) throw invalid(name, 'not-supported', error)
  const responseType = parameters.get('response_type')
  if (responseType === undefined) throw missing('response_type')
  if (responseType !== 'code') throw invalid('response_type', 'response-type', 'unsupported_response_type')
  const mode = parameters.get('response_mode') ?? 'query'
  if (mode !== 'query' && mode !== 'form_post') throw invalid('response_mode', 'response-mode')
  const codeChallenge = readChallenge(parameters, site)
  const maxAge = parameters.get('max_age')
  if (maxAge !== undefined && !/^\d{1,10}$/.test(maxAge)) throw invalid('max_age', 'format')
  const prompt = readPrompt(parameters, maxAge)
  const nonce = parameters.short('nonce', longestState)
  const loginHint = parameters.short('login_hint', longestHint)
  return {
    redirectUrl,
    ...(codeChallenge !== undefined && { codeChallenge }),
    ...(loginHint !== undefined && { loginHint }),
    ...(prompt !== undefined && { prompt }),
    ...(maxAge !== undefined && { maxAge }),
    openid: {
      scope: grantedScope(parameters.get('scope')),
      ...(style.state !== undefined && { state: style.state }),
      ...(nonce !== undefined && { nonce }),
      mode,
    },
  }
}

/** Only S256; without a method it would be `plain` (RFC 7636 §4.3), which shows the verifier to whoever sees the request. */
function readChallenge(parameters: RequestParameters, { native }: Site): string | undefined {
  const challenge = parameters.get('code_challenge')
  const method = parameters.get('code_challenge_method')
  if (challenge === undefined && method === undefined) {
    if (native) throw missing('code_challenge')
    return undefined
  }
  if (challenge === undefined || method !== 'S256' || !/^[A-Za-z0-9_-]{43}$/.test(challenge))
    throw invalid('code_challenge', 's256')
  return challenge
}

/** From the strongest: a provider is asked for one of them. */
const prompts = ['login', 'consent', 'select_account'] as const

/**
 * `none` is always refused, because only the provider knows whether somebody is logged in there. An age of zero asks for a
 * fresh login (OpenID Connect Core §3.1.2.1) of providers that know no `max_age`; `auth_time` tells the site.
 */
function readPrompt(parameters: RequestParameters, maxAge: string | undefined): LoginWishes['prompt'] {
  const asked = parameters.get('prompt')?.split(' ') ?? []
  if (asked.includes('none'))
    throw asked.length === 1 ? invalid('prompt', 'no-session', 'login_required') : invalid('prompt', 'format')
  if (asked.some((one) => !prompts.some((known) => known === one))) throw invalid('prompt', 'format')
  return prompts.find((one) => asked.includes(one)) ?? (Number(maxAge) === 0 ? 'login' : undefined)
}

function missing(parameter: string): Problem {
  return new Problem('missing-parameter', { values: { parameter } })
}

function invalid(parameter: string, rule: ParameterRule, error?: string): Problem {
  return new Problem('invalid-parameter', {
    values: { parameter, rule },
    ...(error !== undefined && { error }),
  })
}
