import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, sendPage } from '../http/page.ts'
import type { Problem } from '../http/problem.ts'
import { languageOf, problemHeaders } from '../http/problem-reply.ts'
import { problemText } from '../http/problem-texts.ts'
import type { ProblemName } from '../http/problems.ts'

const words = {
  en: {
    title: 'The login did not succeed',
    again: 'Go back to the site and log in once more.',
    completed: 'This login is already completed: as a rule you are logged in. Go back to the site.',
    limited:
      'Too many logins from your network have failed within a minute. Wait a minute, then go back to the site and log in once more.',
    back: 'Back to',
    help: 'If it happens again, tell the site this number:',
  },
  ru: {
    title: 'Войти не получилось',
    again: 'Вернитесь на сайт и войдите ещё раз.',
    completed: 'Этот вход уже завершён: скорее всего, вы вошли. Вернитесь на сайт.',
    limited:
      'За последнюю минуту из вашей сети было слишком много неудачных входов. Подождите минуту, затем вернитесь на сайт и войдите ещё раз.',
    back: 'Вернуться на',
    help: 'Если это повторится, сообщите сайту этот номер:',
  },
} as const

function adviceOn(problem: ProblemName): 'completed' | 'limited' | 'again' {
  if (problem === 'login-completed') return 'completed'
  return problem === 'rate-limited' ? 'limited' : 'again'
}

/**
 * What a person sees at the callback instead of a redirect: what to do in plain words, the way back to the site
 * where the login is known, and in small print the request's number and what a developer wants to read.
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
  const { back, help, title } = words[language]
  const link =
    siteOrigin === undefined
      ? ''
      : `<p><a href="${escapeHtml(siteOrigin)}">${back} ${escapeHtml(new URL(siteOrigin).host)}</a></p>`
  return sendPage(problemHeaders(reply, problem), {
    language,
    title,
    body: `<p>${words[language][adviceOn(problem.type)]}</p>${link}<p><small>${help} <code>${escapeHtml(request.id)}</code><br>${escapeHtml(`${text.title}. ${text.detail}`)}</small></p>`,
  })
}
