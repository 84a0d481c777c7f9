import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Html } from '../web.ts'
import { drawn, html, languageOf, sendPage } from '../web.ts'
import type { Authorization, AuthorizationRefused } from './consent.ts'
import type { DoublePerson } from './people.ts'
import { people, personByKey } from './people.ts'
import type { CommonSwitches, ProviderRules } from './provider-rules.ts'

/** What the pages need to know about a provider. */
type PageProvider = Pick<ProviderRules<CommonSwitches>, 'title' | 'mark' | 'vouchesForEmail' | 'gives'>

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
    sees: 'It will see:',
    fields: { name: 'name', login: 'login', email: 'email' },
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
    sees: 'Ему будут видны:',
    fields: { name: 'имя', login: 'логин', email: 'email' },
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
<h1>${drawn(provider.mark)}${t.login} ${title}</h1>
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
<h1>${drawn(step.rules.mark)}${title}: ${t.wants}</h1>
<div class="card"><strong>${person.name || t.noName}</strong><br>${person.login} · ${person.email ?? t.noEmail}
<p>${t.sees} ${step.rules.gives.map((field) => t.fields[field]).join(', ')}.</p><p class="quiet">${t.scopes}: ${step.authorization.scopes.join(', ')}</p></div>
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
  { title, mark }: PageProvider,
  error: AuthorizationRefused,
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  return sendPage(reply, {
    status: error.status,
    lang,
    title: title[lang],
    body: html`<p class="badge">${t.sandbox}</p><h1>${drawn(mark)}${title[lang]}: ${error.status}</h1>
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
