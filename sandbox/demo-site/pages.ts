import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Mark } from '../../src/providers/mark.ts'
import type { Html, Title } from '../web.ts'
import { drawn, html, languageOf, sendPage } from '../web.ts'
import type { OfferedProvider, Tokens, Trouble } from './auth-movies-client.ts'
import type { LoginRecord } from './login-record.ts'

const texts = {
  en: {
    site: 'Cinema Demo',
    badge: 'Demo site, a client of Auth-movies',
    welcome: 'Log in to see your films',
    logInWith: 'Log in with',
    hello: 'You are logged in',
    noName: 'friend',
    refresh: 'Refresh the tokens',
    logout: 'Log out',
    claims: 'The claims of the access token',
    again: 'Back to the start',
    failed: 'The login did not succeed',
    noResponse: 'Logging in does not work at the moment; please try again a little later.',
    later: 'Reload this page to try again, or start over.',
    request: 'If it happens again, tell us this number:',
    unavailable: 'not available now',
    foreign: 'This login was not started in this browser',
    foreignWhy:
      'This browser has no such state: the login is too old, was started elsewhere, or cookies are off. Nobody was logged in.',
    declined: {
      access_denied: [
        'You did not allow access',
        'The provider does not share your account without your permission. You can try again.',
      ],
      login_expired: ['That took too long', 'The login has expired. Please start again.'],
      temporarily_unavailable: ['The provider is busy', 'Please try again a little later.'],
      other: [
        'The provider could not log you in',
        'Something went wrong at the provider. Try again, or choose another one.',
      ],
    },
    starting: 'Auth-movies is starting: reload this page in a moment',
    menu: 'The sandbox: make a login fail',
    withFault: 'The next login has the fault',
    report: 'What the sandbox says about the fault',
    welcomeBack: 'Welcome,',
  },
  ru: {
    site: 'Демо-кинотеатр',
    badge: 'Демонстрационный сайт, клиент Auth-movies',
    welcome: 'Войдите, чтобы увидеть свои фильмы',
    logInWith: 'Войти через',
    hello: 'Вы вошли',
    noName: 'друг',
    refresh: 'Обновить токены',
    logout: 'Выйти',
    claims: 'Что написано в токене доступа',
    again: 'В начало',
    failed: 'Войти не получилось',
    noResponse: 'Вход сейчас не работает; попробуйте немного позже.',
    later: 'Обновите страницу, чтобы попробовать ещё раз, или начните сначала.',
    request: 'Если это повторится, сообщите нам этот номер:',
    unavailable: 'сейчас недоступен',
    foreign: 'Этот вход начат не в этом браузере',
    foreignWhy:
      'В этом браузере нет такого state: время входа истекло, вход начат в другом месте или отключены cookie. Никто не вошёл.',
    declined: {
      access_denied: [
        'Вы не дали разрешения',
        'Вы запретили провайдеру передавать данные аккаунта. Можно попробовать снова.',
      ],
      login_expired: ['Прошло слишком много времени', 'Время входа истекло. Начните его заново.'],
      temporarily_unavailable: ['Провайдер перегружен', 'Попробуйте немного позже.'],
      other: [
        'Провайдер не смог выполнить вход',
        'У провайдера что-то пошло не так. Попробуйте снова или выберите другого.',
      ],
    },
    starting: 'Auth-movies запускается: обновите страницу через несколько секунд',
    menu: 'Песочница: сломать вход',
    withFault: 'Следующий вход будет со сбоем',
    report: 'Что песочница говорит о сбое',
    welcomeBack: 'Добро пожаловать,',
  },
} as const

/** A provider of which this site has a mark. */
export interface KnownProvider {
  readonly name: string
  readonly title: Title
  readonly mark: Mark | undefined
}

/**
 * For a visitor who is not logged in: one button per provider. Those of providers that do not work now are disabled.
 * @param choice.offered what Auth-movies offers; where that is undefined, every known one
 * @param choice.fault the fault that the visitor chose for the next login
 */
export function homePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  {
    known,
    offered,
    fault,
  }: {
    readonly known: readonly KnownProvider[]
    readonly offered: readonly OfferedProvider[] | undefined
    readonly fault: string | undefined
  },
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  const marks = new Map(known.map(({ name, mark }) => [name, mark]))
  const buttons = (offered ?? known.map((one) => ({ ...one, available: true }))).map(
    ({ name, title, available }) => {
      const label = html`${drawn(marks.get(name))}${t.logInWith} ${title[lang]}`
      return available
        ? html`<button name="provider" value="${name}">${label}</button>`
        : html`<button disabled>${label} <small>${t.unavailable}</small></button>`
    },
  )
  return show(request, reply, {
    title: t.welcome,
    body: html`${fault === undefined ? undefined : html`<p class="card">${t.withFault} <strong>${fault}</strong></p>`}
<form method="post" action="${home}login" class="stack">${
      fault === undefined ? undefined : html`<input type="hidden" name="fault" value="${fault}">`
    }${buttons}</form>
${buttons.length === 0 ? html`<p>${t.noResponse}</p>` : undefined}
<p class="quiet"><a href="/">${t.menu}</a></p>`,
  })
}

/** For a visitor who is logged in: the profile that Auth-movies returns. */
export function profilePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  {
    profile,
    tokens,
    login,
  }: { readonly profile: unknown; readonly tokens: Tokens; readonly login: LoginRecord | undefined },
): FastifyReply {
  const t = texts[languageOf(request)]
  const entries = typeof profile === 'object' && profile !== null ? Object.entries(profile) : []
  const name: unknown = entries.find(([key]) => key === 'name')?.[1]
  return show(request, reply, {
    title: t.hello,
    body: html`<p>${t.welcomeBack} <bdi class="name">${typeof name === 'string' && name !== '' ? name : t.noName}</bdi></p>
<dl class="card">${entries.map(
      ([key, value]) => html`<dt>${key}</dt><dd dir="auto" data-field="${key}">${plain(value)}</dd>`,
    )}</dl>
<div class="row"><form method="post" action="${home}refresh"><button>${t.refresh}</button></form>
<form method="post" action="${home}logout"><button>${t.logout}</button></form></div>
<details><summary>${t.claims}</summary><pre tabindex="0">${claimsOf(tokens.access_token)}</pre></details>${report(t.report, login)}`,
  })
}

/** For a callback with an error: says in plain words why there was no login. */
export function declinedPage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  parameters: URLSearchParams,
  login: LoginRecord | undefined,
): FastifyReply {
  const t = texts[languageOf(request)]
  const error = parameters.get('error') ?? ''
  request.log.info({ error, description: parameters.get('error_description') }, 'the login was declined')
  const [title, why] = t.declined[isKey(t.declined, error) ? error : 'other']
  return show(request, reply, {
    title,
    body: html`<div class="card" data-error="${error}"><p>${why}</p>
</div>${startAgain(t.again, home)}${report(t.report, login)}`,
  })
}

/** For a callback of a login that this browser did not start. */
export function foreignLoginPage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  login: LoginRecord | undefined,
): FastifyReply {
  const t = texts[languageOf(request)]
  return show(request, reply, {
    status: 400,
    title: t.foreign,
    body: html`<div class="card bad">${t.foreignWhy}</div>${startAgain(t.again, home)}${report(t.report, login)}`,
  })
}

/**
 * For a problem that Auth-movies returned, or no response: its text for visitors, and the request id to search its log by.
 * Its texts for developers are logged and not shown.
 */
export function troublePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  { status, type, description, userMessage, requestId }: Trouble,
  login?: LoginRecord,
): FastifyReply {
  const t = texts[languageOf(request)]
  request.log.warn({ status, type, requestId, description }, 'Auth-movies refused')
  return show(request, reply, {
    status: status >= 500 ? 502 : 400,
    title: t.failed,
    body: html`<div class="card bad"><p>${userMessage ?? t.noResponse}</p>
${requestId === undefined ? undefined : html`<p class="quiet">${t.request} <code>${requestId}</code></p>`}</div>
<p>${status === 503 || status === 409 ? t.later : ''}</p>${startAgain(t.again, home)}${report(t.report, login)}`,
  })
}

/** For requests before the demo site knows where Auth-movies is. */
export function notOpenPage(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return show(request, reply.header('retry-after', '2'), {
    status: 503,
    title: texts[languageOf(request)].starting,
    body: html``,
  })
}

function show(
  request: FastifyRequest,
  reply: FastifyReply,
  page: { readonly status?: number; readonly title: string; readonly body: Html },
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  return sendPage(reply, {
    ...page,
    lang,
    title: `${page.title} · ${t.site}`,
    body: html`<p class="badge">${t.badge}</p><h1>${page.title}</h1>${page.body}`,
  })
}

/** Leads to what the sandbox says about the fault of this login. */
function report(text: string, login: LoginRecord | undefined): Html | undefined {
  if (login?.fault === undefined) return undefined
  const { id } = login.fault
  return html`<p class="quiet"><a href="/faults/${id}">${text} ${id}</a></p>`
}

function startAgain(text: string, home: string): Html {
  return html`<p><a class="button" href="${home}">${text}</a></p>`
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return '—'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Only to show them: a site that uses these claims must verify the signature first. */
function claimsOf(jwt: string): string {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    return JSON.stringify(claims, null, 2)
  } catch {
    return '—'
  }
}

function isKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key)
}
