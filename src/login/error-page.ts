import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, sendHtmlPage } from '../problems/html-page.ts'
import type { Problem } from '../problems/problem.ts'
import type { ProblemSettings } from '../problems/reply.ts'
import { languageOf, pageTexts, problemHeaders } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'

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
      loggedOut: 'You are logged out',
      stays: 'The logout did not succeed',
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
      loggedOut: 'Вы вышли',
      stays: 'Выйти не получилось',
      cookies: 'Слишком много файлов cookie',
    },
    back: 'Вернуться на',
    help: 'Если это повторится, сообщите сайту этот номер:',
  },
} as const

/** The headings of all problems that are not `failed`. */
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
  'logout-url-unknown': 'loggedOut',
  'logout-hint-invalid': 'stays',
}

/**
 * Sends the page that a person sees at the callback or a logout instead of a redirect: what happened and what to do in plain words,
 * a link to the site where the login is known, and in small print the request id and the details for developers.
 * @param siteOrigin the origin of a registered URL; the page does not link to its path, which may need parameters
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
  const { back, help, headings: titles } = words[language]
  const link =
    siteOrigin === undefined
      ? ''
      : `<p><a href="${escapeHtml(siteOrigin)}">${back} ${escapeHtml(new URL(siteOrigin).host)}</a></p>`
  return sendHtmlPage(problemHeaders(reply, problem), {
    language,
    title: titles[headings[problem.type] ?? 'failed'],
    body: `<p>${escapeHtml(userMessage)}</p>${link}<p><small>${help} <code>${escapeHtml(request.id)}</code><br>${escapeHtml(detail)}</small></p>`,
  })
}
