import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Tokens, Trouble } from './demo-client.ts'
import type { Html } from './html.ts'
import { html, languageOf, sendPage } from './html.ts'

const texts = {
  en: {
    site: 'Cinema Demo',
    badge: 'Demo site, a client of Auth-movies',
    welcome: 'Log in to see your films',
    by: 'Log in with',
    hello: 'You are logged in',
    nameless: 'friend',
    refresh: 'Renew the tokens',
    logout: 'Log out',
    claims: 'What the access token says',
    again: 'Back to the start',
    failed: 'The login did not succeed',
    noAnswer: 'Logging in does not work at the moment; please try again a little later.',
    later: 'Reload this page to try once more, or start again.',
    request: 'If it happens again, tell us this number:',
    unavailable: 'not available now',
    foreign: 'This login was not begun in this browser',
    foreignWhy:
      'The state that came back is not one that this browser remembers: the login is old, was begun elsewhere, or cookies are off. Nobody was logged in.',
    declined: {
      access_denied: [
        'You did not allow it',
        'The provider was told not to share the account. Nothing happened; you may try again.',
      ],
      login_expired: ['That took too long', 'The login has run out. Start it once more.'],
      temporarily_unavailable: ['The provider is busy', 'It asks to try again a little later.'],
      other: [
        'The provider could not log you in',
        'Something went wrong there. Try again, or choose another provider.',
      ],
    },
    starting: 'Auth-movies is starting: reload in a moment',
    menu: 'The sandbox: make a provider fail',
  },
  ru: {
    site: 'Демо-кинотеатр',
    badge: 'Демонстрационный сайт, клиент Auth-movies',
    welcome: 'Войдите, чтобы увидеть свои фильмы',
    by: 'Войти через',
    hello: 'Вы вошли',
    nameless: 'друг',
    refresh: 'Обновить токены',
    logout: 'Выйти',
    claims: 'Что написано в токене доступа',
    again: 'В начало',
    failed: 'Войти не получилось',
    noAnswer: 'Вход сейчас не работает; попробуйте немного позже.',
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
    menu: 'Песочница: сломать провайдера',
  },
} as const

const providers = [
  { name: 'yandex', ru: 'Яндекс', en: 'Yandex' },
  { name: 'google', ru: 'Google', en: 'Google' },
  { name: 'mail', ru: 'Mail.ru', en: 'Mail.ru' },
] as const

/**
 * A visitor whom nobody knows: a button a provider.
 * @param available the providers that work now, the others have a grey button; undefined where nobody knows
 */
export function homePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  available: ReadonlySet<string> | undefined,
): FastifyReply {
  const lang = languageOf(request)
  const t = texts[lang]
  const buttons = providers.map((provider) =>
    available?.has(provider.name) === false
      ? html`<button disabled>${t.by} ${provider[lang]} <small>${t.unavailable}</small></button>`
      : html`<button name="provider" value="${provider.name}">${t.by} ${provider[lang]}</button>`,
  )
  return show(request, reply, {
    title: t.welcome,
    body: html`<form method="post" action="${home}login" class="stack">${buttons}</form>
<p class="quiet"><a href="/">${t.menu}</a></p>`,
  })
}

/** A visitor who is logged in: what Auth-movies says of the person. */
export function profilePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  { profile, tokens }: { readonly profile: unknown; readonly tokens: Tokens },
): FastifyReply {
  const t = texts[languageOf(request)]
  const entries = typeof profile === 'object' && profile !== null ? Object.entries(profile) : []
  const name: unknown = entries.find(([key]) => key === 'name')?.[1]
  return show(request, reply, {
    title: `${t.hello}, ${typeof name === 'string' && name !== '' ? name : t.nameless}!`,
    body: html`<dl class="card">${entries.map(
      ([key, value]) => html`<dt>${key}</dt><dd data-field="${key}">${plain(value)}</dd>`,
    )}</dl>
<div class="row"><form method="post" action="${home}refresh"><button>${t.refresh}</button></form>
<form method="post" action="${home}logout"><button>${t.logout}</button></form></div>
<details><summary>${t.claims}</summary><pre>${claimsOf(tokens.access_token)}</pre></details>`,
  })
}

/** The provider sent the person back without a code: in plain words, why. */
export function declinedPage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  parameters: URLSearchParams,
): FastifyReply {
  const t = texts[languageOf(request)]
  const error = parameters.get('error') ?? ''
  request.log.info({ error, description: parameters.get('error_description') }, 'a login was declined')
  const [title, why] = t.declined[isKey(t.declined, error) ? error : 'other']
  return show(request, reply, {
    title,
    body: html`<div class="card" data-error="${error}"><p>${why}</p>
</div>${startAgain(t.again, home)}`,
  })
}

/** A return that this browser did not set out for. */
export function foreignLoginPage(request: FastifyRequest, reply: FastifyReply, home: string): FastifyReply {
  const t = texts[languageOf(request)]
  return show(request, reply, {
    status: 400,
    title: t.foreign,
    body: html`<div class="card bad">${t.foreignWhy}</div>${startAgain(t.again, home)}`,
  })
}

/**
 * Auth-movies said no, or nothing: its words for visitors, and the id by which its log can be searched. What it says to
 * developers is logged, not shown.
 */
export function troublePage(
  request: FastifyRequest,
  reply: FastifyReply,
  home: string,
  { status, type, description, userMessage, requestId }: Trouble,
): FastifyReply {
  const t = texts[languageOf(request)]
  request.log.warn({ status, type, requestId, description }, 'Auth-movies refused')
  return show(request, reply, {
    status: status >= 500 ? 502 : 400,
    title: t.failed,
    body: html`<div class="card bad"><p>${userMessage ?? t.noAnswer}</p>
${requestId === undefined ? undefined : html`<p class="quiet">${t.request} <code>${requestId}</code></p>`}</div>
<p>${status === 503 || status === 409 ? t.later : ''}</p>${startAgain(t.again, home)}`,
  })
}

/** Nobody told the demo site yet where Auth-movies is. */
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

function startAgain(text: string, home: string): Html {
  return html`<p><a class="button" href="${home}">${text}</a></p>`
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return '—'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** For a look only: a site that decides anything by these claims must verify the signature first. */
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
