import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import type { Language } from './texts.ts'

/** A Content-Security-Policy that forbids a page to load, frame, send or run anything. */
export const closedPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const style = `
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
a { color: inherit; font-weight: 600 }
small, code, pre { opacity: .75; overflow-wrap: anywhere; white-space: pre-wrap }
`

/** How a page looks, and what its policy lets it do. */
export interface PageLook {
  readonly style: string
  readonly script: string
  /** Content-Security-Policy. */
  readonly policy: string
}

/**
 * Makes the look of a page: its policy allows exactly this style and this script, by their hashes.
 * @param options.style added to the style of every page
 * @param options.script none where absent
 * @param options.policy the rest of the policy; a closed one where absent
 */
export function pageLook(
  options: { readonly style?: string; readonly script?: string; readonly policy?: string } = {},
): PageLook {
  const { script = '', policy = closedPolicy } = options
  const whole = style + (options.style ?? '')
  const scripts = script === '' ? '' : `; script-src ${hashOf(script)}`
  return { style: whole, script, policy: `${policy}; style-src ${hashOf(whole)}${scripts}` }
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

const plainLook = pageLook()

/** HTML-escapes text for an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/**
 * Sends a small HTML page that loads nothing. It has no `Cross-Origin-Opener-Policy`, which would separate a login in a
 * popup from the window that opened it.
 * @param body HTML, already escaped
 */
export function sendHtmlPage(
  reply: FastifyReply,
  page: { language: Language; title: string; body: string },
  look: PageLook = plainLook,
): FastifyReply {
  const title = escapeHtml(page.title)
  const script = look.script === '' ? '' : `<script>${look.script}</script>`
  return reply
    .headers({ 'content-security-policy': look.policy, 'referrer-policy': 'no-referrer' })
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="${page.language}"><meta charset="utf-8">` +
        `<meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title>` +
        `<style>${look.style}</style><main><h1>${title}</h1>${page.body}</main>${script}</html>`,
    )
}
