import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, sendPage } from '../http/page.ts'
import type { Problem } from '../http/problem.ts'
import { languageOf, problemHeaders } from '../http/problem-reply.ts'
import { problemText } from '../http/problem-texts.ts'

const words = {
  en: { back: 'Back to', id: 'Request', help: 'If it happens again, tell the site this number:' },
  ru: { back: 'Вернуться на', id: 'Запрос', help: 'Если это повторится, сообщите сайту этот номер:' },
} as const

/**
 * What a person sees at the callback instead of a redirect: what happened in plain words, the way back to the
 * site where the login is known, and the request's number.
 * @param siteOrigin an origin of a registered URL; its path is not shown, as it may want parameters
 */
export function sendErrorPage(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  siteOrigin: string | undefined,
): FastifyReply {
  const language = languageOf(request)
  const text = problemText(problem.type, language, problem.options.values)
  const { back, help } = words[language]
  const link =
    siteOrigin === undefined
      ? ''
      : `<p><a href="${escapeHtml(siteOrigin)}">${back} ${escapeHtml(new URL(siteOrigin).host)}</a></p>`
  return sendPage(problemHeaders(reply, problem), {
    language,
    title: text.title,
    body: `<p>${escapeHtml(text.detail)}</p>${link}<p><small>${help} <code>${escapeHtml(request.id)}</code></small></p>`,
  })
}
