import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Html, Title } from '../web.ts'
import { html, languageOf, sendPage } from '../web.ts'
import type { DoublePerson } from './people.ts'
import { people, personByKey } from './people.ts'
import type {
  AuthorizationFlaw,
  CommonSwitches,
  Context,
  ProviderRules,
  SpoiledCallback,
} from './provider-rules.ts'

/** The redirect URIs registered at the provider: compared exactly, or checked by a function. */
export type RedirectUris = readonly string[] | ((redirectUri: string) => boolean)

/** How a person consents. */
export interface ConsentOptions {
  readonly person?: Partial<DoublePerson>
  readonly code?: string
  readonly extra?: readonly (readonly [string, string])[]
}

/** An authorization request whose client and redirect URI are valid, so that the browser may be redirected. */
export interface Authorization {
  readonly request: URLSearchParams
  readonly redirectUri: string
  readonly scopes: readonly string[]
  /** An error for the client: redirects at once, without a page. */
  readonly error?: { readonly error: string; readonly description?: string }
}

/** The provider shows an error page and does not redirect (RFC 6749 §4.1.2.1). */
export class AuthorizationRefused extends Error {
  override readonly name = 'AuthorizationRefused'
  readonly status: number

  constructor(page: string, status: number) {
    super(page)
    this.status = status
  }
}

/**
 * Checks an authorization request. Client and redirect URI come first: no redirect may happen before both are known to be
 * valid (RFC 6749 §3.1.2.4).
 * @throws {AuthorizationRefused}
 */
export function authorize<S extends CommonSwitches>(
  request: URLSearchParams,
  rules: ProviderRules<S>,
  context: Context<S>,
  redirectUris: RedirectUris,
): Authorization {
  if (request.get('client_id') !== context.client.id) refuse(rules.pages.client)
  const asked = request.get('redirect_uri')
  const redirectUri = asked ?? onlyOne(redirectUris)
  if (asked === null && !rules.redirectUriOptional) refuse(rules.pages.redirectUri)
  if (redirectUri === undefined || !isRegistered(redirectUri, redirectUris)) refuse(rules.pages.redirectUri)
  const flaw = rules.flaw(request, context)
  if (flaw !== undefined && 'page' in flaw) refuse(flaw)
  const asksFor = request.get('scope')?.split(' ').filter(Boolean)
  const authorization = { request, redirectUri, scopes: asksFor ?? rules.defaultScopes }
  return flaw === undefined ? authorization : { ...authorization, error: flaw }
}

/** Issues a code and returns the URL to which "Allow" redirects. */
export function allow<S extends CommonSwitches>(
  authorization: Authorization,
  options: ConsentOptions,
  rules: ProviderRules<S>,
  context: Context<S>,
): string {
  const person: DoublePerson = { ...people.anna, ...options.person, ...context.switches.person }
  const { request, scopes } = authorization
  const grant = context.grants.add({ code: options.code ?? rules.mintCode(), request, scopes, person })
  const replaced = new Set(options.extra?.map(([name]) => name))
  const usual = withState(rules.callback(grant, context), request)
  const parameters = [...usual.filter(([name]) => !replaced.has(name)), ...(options.extra ?? [])]
  return appendQuery(authorization.redirectUri, spoil(parameters, context.switches))
}

/** The URL to which "Deny", or an error for the client, redirects. */
export function deny<S extends CommonSwitches>(
  authorization: Authorization,
  error: string,
  description: string | undefined,
  rules: ProviderRules<S>,
): string {
  return appendQuery(
    authorization.redirectUri,
    withState(rules.errorParameters(error, description), authorization.request),
  )
}

type Parameters = readonly (readonly [string, string])[]

function withState(parameters: Parameters, request: URLSearchParams): Parameters {
  const state = request.get('state')
  return state === null ? parameters : [...parameters, ['state', state]]
}

function spoil(parameters: Parameters, { callback }: CommonSwitches): Parameters {
  if (callback === undefined) return parameters
  const without = (name: string) => parameters.filter((parameter) => parameter[0] !== name)
  const spoiled: Record<SpoiledCallback, Parameters> = {
    'no-state': without('state'),
    'changed-state': [...without('state'), ['state', 'another-state-than-the-one-that-was-sent-here']],
    'repeated-state': [...parameters, ...parameters.filter(([name]) => name === 'state')],
    'repeated-code': [...parameters, ['code', 'a-second-code']],
    'code-and-error': [...parameters, ['error', 'access_denied']],
    neither: without('code'),
  }
  return spoiled[callback]
}

/** Appends to the query that the redirect URI may already have (RFC 6749 §3.1.2). */
function appendQuery(redirectUri: string, parameters: Parameters): string {
  const query = parameters.map((pair) => pair.map(formEncode).join('=')).join('&')
  return redirectUri + (redirectUri.includes('?') ? '&' : '?') + query
}

/** application/x-www-form-urlencoded, which is what RFC 6749 §4.1.2 names. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function isRegistered(redirectUri: string, registered: RedirectUris): boolean {
  return typeof registered === 'function' ? registered(redirectUri) : registered.includes(redirectUri)
}

function onlyOne(registered: RedirectUris): string | undefined {
  return typeof registered === 'function' ? undefined : registered[0]
}

function refuse(flaw: AuthorizationFlaw): never {
  if ('page' in flaw) throw new AuthorizationRefused(flaw.page, flaw.status)
  throw new AuthorizationRefused(flaw.error, 400)
}

/** What the pages need to know about a provider. */
interface PageProvider {
  readonly title: Title
  readonly vouchesForEmail: boolean
}

const texts = {
  en: {
    sandbox: 'Sandbox: everything happens on this computer',
    login: 'Log in to',
    choose: 'Which account?',
    own: 'Or enter your own data',
    id: 'Id at the provider (digits)',
    name: 'Name',
    userName: 'Login',
    email: 'Email (leave empty for an account without one)',
    verified: 'the provider has verified the email',
    neverVerified: 'does not say whether an email is verified.',
    proceed: 'Continue',
    wants: 'Auth-movies asks for access to your account',
    sees: 'It will see: your login, name and email.',
    scopes: 'Requested scopes',
    allow: 'Allow',
    deny: 'Deny',
    noEmail: 'no email',
    noName: 'no name',
    refused: 'The provider shows an error and does not redirect back',
    why: 'The application’s id or its callback URL is not the registered one.',
  },
  ru: {
    sandbox: 'Песочница: всё происходит на этом компьютере',
    login: 'Вход в',
    choose: 'Выберите аккаунт',
    own: 'Или задайте свои данные',
    id: 'Идентификатор у провайдера (цифры)',
    name: 'Имя',
    userName: 'Логин',
    email: 'Email (пусто: аккаунт без email)',
    verified: 'провайдер ручается за email',
    neverVerified: 'не сообщает, подтверждён ли email.',
    proceed: 'Продолжить',
    wants: 'Auth-movies просит доступ к вашему аккаунту',
    sees: 'Ему будут видны логин, имя и email.',
    scopes: 'Запрошенные права',
    allow: 'Разрешить',
    deny: 'Отказать',
    noEmail: 'без email',
    noName: 'без имени',
    refused: 'Провайдер показывает ошибку и никого не отправляет обратно',
    why: 'Идентификатор приложения или callback URL не совпадает с зарегистрированным.',
  },
} as const

/** The first page: the person chooses an account. */
export function loginPage(
  request: FastifyRequest,
  reply: FastifyReply,
  provider: PageProvider,
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  const title = provider.title[lang]
  const ready = Object.entries(people).map(
    ([
      key,
      person,
    ]) => html`<button name="person" value="${key}" data-person="${key}">${person.name || t.noName}
      <small>${person.login} · ${person.email ?? t.noEmail}</small></button>`,
  )
  const verified = provider.vouchesForEmail
    ? html`<label class="check"><input type="checkbox" name="emailVerified" value="yes" checked>${t.verified}</label>`
    : html`<p class="quiet">${title} ${t.neverVerified}</p>`
  return sendPage(reply, {
    lang,
    title: `${t.login} ${title}`,
    body: html`<p class="badge">${t.sandbox}</p>
<h1>${t.login} ${title}</h1>
<p>${t.choose}</p>
<form method="post" class="stack">${ready}</form>
<details><summary><h2>${t.own}</h2></summary>
<form method="post" class="stack card">
  <label>${t.name}<input name="name" value="Вера Холодная"></label>
  <label>${t.userName}<input name="login" value="vera" required></label>
  <label>${t.email}<input name="email" type="email" value="vera@mail.example"></label>
  ${verified}
  <label>${t.id}<input name="id" value="5550001" pattern="[0-9]{1,30}" required></label>
  <button class="main" name="person" value="own">${t.proceed}</button>
</form></details>`,
  })
}

/** The second page: the person allows or denies. Hidden fields, like the URL, carry the account chosen on the first page. */
export function consentPage(
  request: FastifyRequest,
  reply: FastifyReply,
  step: {
    readonly rules: PageProvider
    readonly authorization: Authorization
    readonly form: URLSearchParams
  },
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  const person = personOf(step.form)
  const title = step.rules.title[lang]
  return sendPage(reply, {
    lang,
    title: `${title}: ${t.wants}`,
    body: html`<p class="badge">${t.sandbox}</p>
<h1>${title}: ${t.wants}</h1>
<div class="card"><strong>${person.name || t.noName}</strong><br>${person.login} · ${person.email ?? t.noEmail}
<p>${t.sees}</p><p class="quiet">${t.scopes}: ${step.authorization.scopes.join(', ')}</p></div>
<form method="post" class="row">${hidden(step.form)}
  <button class="main" name="decision" value="allow">${t.allow}</button>
  <button name="decision" value="deny">${t.deny}</button>
</form>`,
  })
}

/** The page for a wrong client or redirect URI (RFC 6749 §4.1.2.1). */
export function refusedPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { title }: PageProvider,
  error: AuthorizationRefused,
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  return sendPage(reply, {
    status: error.status,
    lang,
    title: title[lang],
    body: html`<p class="badge">${t.sandbox}</p><h1>${title[lang]}: ${error.status}</h1>
<div class="card bad">${error.message}</div><p>${t.refused}. ${t.why}</p>`,
  })
}

/** The person whom the form of the first page chose. */
export function personOf(form: URLSearchParams): DoublePerson {
  const known = personByKey(form.get('person'))
  if (known !== undefined) return known
  return {
    ...people.anna,
    id: form.get('id') ?? people.anna.id,
    login: form.get('login') ?? people.anna.login,
    name: form.get('name') ?? people.anna.name,
    email: form.get('email') || null,
    emailVerified: form.get('emailVerified') === 'yes',
  }
}

function hidden(form: URLSearchParams): Html[] {
  return [...form].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
}
