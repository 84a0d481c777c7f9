import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, pageLook, sendHtmlPage } from '../problems/html-page.ts'
import { languageOf } from '../problems/reply.ts'
import type { AuthorizationAnswer } from './authorization-response.ts'
import { appendQuery } from './authorization-response.ts'

const words = {
  en: { title: 'Back to the site', go: 'Continue' },
  ru: { title: 'Возврат на сайт', go: 'Продолжить' },
} as const

/**
 * The page may run this one script, and its form may go anywhere: its address is ours, and Chromium would apply `form-action`
 * to the redirects of the site behind it too.
 */
const formLook = pageLook({
  policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  script: 'document.forms[0].submit()',
})

/** Sends the browser to the site with an answer: by a redirect, or by a page whose form it posts. */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  { url, parameters, mode }: AuthorizationAnswer,
): FastifyReply {
  if (mode === 'query') return reply.code(303).header('location', appendQuery(url, parameters)).send()
  const language = languageOf(request)
  const fields = Object.entries(parameters).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  )
  const { title, go } = words[language]
  const body = `<form method="post" action="${escapeHtml(url)}">${fields.join('')}<button>${go}</button></form>`
  return sendHtmlPage(reply, { language, title, body }, formLook)
}
