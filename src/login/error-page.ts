import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, sendPage } from '../http/page.ts'
import type { Problem } from '../http/problem.ts'
import type { ProblemSettings } from '../http/problem-reply.ts'
import { languageOf, pageTexts, problemHeaders } from '../http/problem-reply.ts'
import type { ProblemName } from '../http/problems.ts'

const words = {
  en: {
    headings: {
      failed: 'The login did not succeed',
      completed: 'The login is already completed',
      answered: 'The login has already been answered',
      cancelled: 'The login was cancelled',
      late: 'The login took too long',
      unavailable: 'Login is not available for the moment',
      nowhere: 'There is nothing at this address',
      cookies: 'Too many cookies',
    },
    back: 'Back to',
    help: 'If it happens again, tell the site this number:',
  },
  ru: {
    headings: {
      failed: 'Войти не получилось',
      completed: 'Вход уже завершён',
      answered: 'На этот вход уже получен ответ',
      cancelled: 'Вход отменён',
      late: 'Вход занял слишком много времени',
      unavailable: 'Вход временно недоступен',
      nowhere: 'По этому адресу ничего нет',
      cookies: 'Слишком много файлов cookie',
    },
    back: 'Вернуться на',
    help: 'Если это повторится, сообщите сайту этот номер:',
  },
} as const

/** What is not simply a login that failed. */
const headings: Partial<Record<ProblemName, keyof (typeof words)['en']['headings']>> = {
  'login-completed': 'completed',
  'code-mismatch': 'answered',
  'access-denied': 'cancelled',
  'login-expired': 'late',
  'rate-limited': 'unavailable',
  'site-disabled': 'unavailable',
  'dependency-unavailable': 'unavailable',
  'not-found': 'nowhere',
  'method-not-allowed': 'nowhere',
  'headers-too-large': 'cookies',
}

/**
 * What a person sees at the callback instead of a redirect: what happened and what to do in plain words, the way back
 * to the site where the login is known, and in small print the request's number and what a developer wants to read.
 * @param siteOrigin an origin of a registered URL; its path is not shown, as it may want parameters
 */
export function sendErrorPage(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  settings: ProblemSettings,
  siteOrigin: string | undefined,
): FastifyReply {
  const language = languageOf(request)
  const { detail, userMessage } = pageTexts(problem, language, settings)
  const { back, help, headings: told } = words[language]
  const link =
    siteOrigin === undefined
      ? ''
      : `<p><a href="${escapeHtml(siteOrigin)}">${back} ${escapeHtml(new URL(siteOrigin).host)}</a></p>`
  return sendPage(problemHeaders(reply, problem), {
    language,
    title: told[headings[problem.type] ?? 'failed'],
    body: `<p>${escapeHtml(userMessage)}</p>${link}<p><small>${help} <code>${escapeHtml(request.id)}</code><br>${escapeHtml(detail)}</small></p>`,
  })
}
