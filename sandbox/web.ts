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
:root { color-scheme: light dark; --line: #8886; --accent: #2563eb; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin-top: 2rem; }
summary { cursor: pointer; margin: 1.2rem 0 .6rem; } summary h2 { display: inline; }
.badge { display: inline-block; font-size: .8rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .7rem; }
.card { border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; margin: 1rem 0; }
.card.bad { border-color: #d33; }
form.row, .row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
button, .button { font: inherit; cursor: pointer; padding: .55rem 1.1rem; border-radius: .5rem; border: 1px solid var(--line);
  background: transparent; color: inherit; text-decoration: none; text-align: left; }
button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
button:disabled { cursor: not-allowed; opacity: .5; }
button small { display: block; opacity: .7; }
.stack { display: grid; gap: .6rem; }
label { display: grid; gap: .2rem; } label.check { display: flex; gap: .5rem; align-items: center; }
input:not([type=checkbox]), select { font: inherit; width: 100%; padding: .45rem .6rem; border-radius: .5rem; border: 1px solid var(--line);
  background: transparent; color: inherit; }
select option { color: initial; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; } dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .5rem; font-size: .85rem; }
.mark { vertical-align: -.4em; margin-right: .5rem; border-radius: 6px; outline: 1px solid var(--line); }
.quiet { opacity: .7; font-size: .9rem; } .quiet a { color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`

// No form-action: browsers also apply it to the redirect after a form, and the consent redirects to another origin.
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`

/** Sends a whole page in the language that `languageOf` returned. */
export function sendPage(
  reply: FastifyReply,
  page: { readonly status?: number; readonly lang: Language; readonly title: string; readonly body: Html },
): FastifyReply {
  const document = html`<!doctype html>
<html lang="${page.lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title}</title>
<style>${new Html(style)}</style>
<body>
<main>
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
      vary: 'accept-language',
    })
    .type('text/html; charset=utf-8')
    .send(document.text)
}

/** Russian if the browser prefers it, otherwise English. */
export function languageOf(request: FastifyRequest): Language {
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
