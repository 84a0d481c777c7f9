import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { Html, html } from '../web.ts'

const script = 'document.forms[0].submit()'

// No form-action, which would also apply to where the service sends the browser on.
const policy = `default-src 'none'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`

/**
 * Sends an authorization response as a form that the browser posts at once (OAuth 2.0 Form Post Response Mode). Without
 * scripts there is a button.
 * @param callback the callback URL with the parameters of the response in its query
 */
export function sendFormPost(reply: FastifyReply, callback: string): FastifyReply {
  const { origin, pathname, searchParams } = new URL(callback)
  const fields = [...searchParams].map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  const document = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>…</title>
<form method="post" action="${origin}${pathname}">${fields}<noscript><button>Continue</button></noscript></form>
<script>${new Html(script)}</script>
`
  return reply
    .code(200)
    .headers({
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    })
    .type('text/html; charset=utf-8')
    .send(document.text)
}
