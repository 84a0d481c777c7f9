import { createHash } from 'node:crypto'
import fastifyAccepts from '@fastify/accepts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fastify from 'fastify'
import { favicon } from '../src/http/docs.ts'
import type { Mark } from '../src/providers/mark.ts'
import { drawMark } from '../src/providers/mark.ts'

/** A text in both languages of the sandbox. */
export interface Title {
  readonly ru: string
  readonly en: string
}

/** The drawing of a provider's mark. */
export function drawn(mark: Mark | undefined): Html {
  return new Html(drawMark(mark))
}

/** The languages of the sandbox's pages. */
export type Language = keyof Title

/** Text that is HTML already. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Html | readonly Html[] | undefined

/** HTML in which every value is escaped unless it is Html itself: html`<p>${name}</p>`. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(strings.map((text, at) => text + render(values[at])).join(''))
}

function render(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'string' || typeof part === 'number') return escape(String(part))
  return part.map((one) => one.text).join('')
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}

const style = `
:root { color-scheme: light dark; --line: #8886; --accent: #1d4ed8; --soft: light-dark(#f3f5f9, #1b1d22); --paper: light-dark(#fff, #101114);
  --good: light-dark(#166534, #86efac); --bad: light-dark(#b91c1c, #fca5a5); --link: light-dark(#1d4ed8, #93b4ff); }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0; background: var(--paper); overflow-wrap: anywhere; }
main, .top { max-width: 44rem; margin: 0 auto; padding: 0 1.25rem; }
.wide main, .wide .top { max-width: 76rem; }
main { padding-bottom: 3rem; }
.top { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; justify-content: space-between; padding-top: 1rem; margin-bottom: 1.5rem; }
a { color: var(--link); }
h1 { font-size: 1.6rem; line-height: 1.25; text-wrap: balance; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .8rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .7rem; } h4 { font-size: 1rem; margin: 0; }
summary { cursor: pointer; margin: 1.2rem 0 .6rem; } summary h2 { display: inline; }
.badge { display: inline-block; font-size: .8rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .7rem; }
.good { color: var(--good); } .wrong { color: var(--bad); }
.card { border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; margin: 1rem 0; background: var(--soft); }
.card.bad { border-color: #d33; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .8rem; padding: 0; margin: 0; list-style: none; }
.cards .card { margin: 0; padding: .8rem 1rem; } .cards p { margin: .3rem 0 0; font-size: .9rem; }
form.row, .row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
button, .button { display: inline-block; font: inherit; cursor: pointer; padding: .55rem 1.1rem; border-radius: .5rem; border: 1px solid var(--line);
  background: transparent; color: inherit; text-decoration: none; text-align: left; max-width: 100%; }
button.main, .button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
button:disabled { cursor: not-allowed; opacity: .5; }
button small { display: block; opacity: .8; }
.stack { display: grid; gap: .6rem; }
label { display: grid; gap: .2rem; } label.check { display: flex; gap: .5rem; align-items: center; }
input:not([type=checkbox]), select { font: inherit; width: 100%; padding: .45rem .6rem; border-radius: .5rem; border: 1px solid var(--line);
  background: var(--paper); color: inherit; }
dl { display: grid; grid-template-columns: minmax(5rem, max-content) minmax(0, 1fr); gap: .4rem 1rem; } dt { opacity: .8; } dd { margin: 0; }
@media (max-width: 34rem) { dl { grid-template-columns: minmax(0, 1fr); gap: .1rem; } dd { margin-bottom: .6rem; } }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .5rem; font-size: .85rem; background: var(--soft); }
.mark { vertical-align: -.4em; margin-right: .5rem; border-radius: 6px; outline: 1px solid var(--line); }
.quiet { opacity: .8; font-size: .9rem; } .quiet a, .badge a { color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`

// No form-action: browsers also apply it to the redirect after a form, and the consent redirects to another origin.
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`

/** Sends a whole page in the language that `languageOf` returned. */
export function sendPage(
  reply: FastifyReply,
  page: {
    readonly status?: number
    readonly lang: Language
    readonly title: string
    readonly body: Html
    /** For a page of cards. */
    readonly wide?: boolean
  },
): FastifyReply {
  const document = html`<!doctype html>
<html lang="${page.lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title}</title>
<style>${new Html(style)}</style>
<body${page.wide === true ? html` class="wide"` : undefined}>
${languageSwitch(reply.request, page.lang)}<main>
${page.body}
</main>
</body>
</html>
`
  return reply
    .code(page.status ?? 200)
    .headers({
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      vary: 'accept-language, cookie',
    })
    .type('text/html; charset=utf-8')
    .send(document.text)
}

const languageCookie = 'sandbox_language'

/** The link to the same page in the other language; none where a second request would repeat a step of a login. */
function languageSwitch({ method, url }: FastifyRequest, lang: Language): Html | undefined {
  if (method !== 'GET' || /\/return(\?|$)/.test(url)) return undefined
  const other = { en: { to: 'ru', name: 'Русский' }, ru: { to: 'en', name: 'English' } }[lang]
  const query = new URLSearchParams({ to: other.to, back: url }).toString()
  const words = { en: 'Sandbox of Auth-movies', ru: 'Песочница Auth-movies' }[lang]
  return html`<nav class="top" aria-label="${words}"><a href="/">${words}</a><a href="/language?${query}" lang="${other.to}" hreflang="${other.to}">${other.name}</a></nav>
`
}

/** Remembers the chosen language in a cookie, and leads back to the page. */
function languageRoute(app: FastifyInstance): void {
  app.get('/language', async (request, reply) => {
    const query = queryOf(request)
    const back = query.get('back') ?? '/'
    reply.header(
      'set-cookie',
      `${languageCookie}=${query.get('to') === 'ru' ? 'ru' : 'en'}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000`,
    )
    // A path of this server alone: `//host` and `/\\host` would lead elsewhere.
    return reply.redirect(/^\/(?![/\\])/.test(back) ? back : '/', 303)
  })
}

/** The language that was chosen on a page; else Russian if the browser prefers it, otherwise English. */
export function languageOf(request: FastifyRequest): Language {
  const chosen = new RegExp(`(?:^|; )${languageCookie}=(en|ru)(?:;|$)`).exec(
    request.headers.cookie ?? '',
  )?.[1]
  if (chosen !== undefined) return chosen === 'ru' ? 'ru' : 'en'
  return request.headers['accept-language'] !== undefined && request.accepts().language(['en', 'ru']) === 'ru'
    ? 'ru'
    : 'en'
}

/**
 * A plain server for any part of the sandbox. Bodies of all types arrive as text, and closing it drops open connections, so
 * that a hanging request does not delay the end.
 */
export async function newServer(): Promise<FastifyInstance> {
  const app = fastify({
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 10_000 },
    http: { maxHeaderSize: 64 * 1024 },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(fastifyAccepts)
  favicon(app)
  languageRoute(app)
  return app
}

/** The body of a request to such a server, as sent; '' if there was none. */
export function bodyOf({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body : ''
}

/** The query of a request, as sent. */
export function queryOf({ url }: Pick<FastifyRequest, 'url'>): URLSearchParams {
  return new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
}

/** Whether a page of another site makes the browser send this request; other programs do not say. */
export function isFromElsewhere({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return headers['sec-fetch-site'] === 'cross-site'
}
