import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { escapeHtml, sendHtmlPage } from './html-page.ts'
import { Problem } from './problem.ts'
import { languageOf, problemBody } from './reply.ts'
import { isProblemName, problems, problemType } from './table.ts'
import { problemText, problemTexts } from './texts.ts'

const words = {
  en: {
    cause: 'Cause',
    visitor: 'What a site may show to its visitor',
    remedy: 'What to do',
    example: 'Example',
    index: 'All problems',
    list: 'Problems',
  },
  ru: {
    cause: 'Причина',
    visitor: 'Что сайт может показать посетителю',
    remedy: 'Что делать',
    example: 'Пример',
    index: 'Все проблемы',
    list: 'Проблемы',
  },
} as const

/** One HTML page per problem, in Russian and English: the `docs` member of each problem links to it. */
export const problemPages: FastifyPluginAsyncTypebox<{ publicUrl: string }> = async (app, { publicUrl }) => {
  const languages = Type.Object({ lang: Type.Optional(Type.Union([Type.Literal('en'), Type.Literal('ru')])) })

  app.get('/problems/', { schema: { hide: true, querystring: languages } }, async (request, reply) => {
    const language = request.query.lang ?? languageOf(request)
    const rows = Object.entries(problemTexts[language]).map(
      ([name, text]) =>
        `<li><a href="/problems/${name}?lang=${language}">${name}</a>: ${escapeHtml(text.title)}</li>`,
    )
    return sendHtmlPage(reply, { language, title: words[language].list, body: `<ul>${rows.join('')}</ul>` })
  })

  app.get(
    '/problems/:name',
    { schema: { hide: true, params: Type.Object({ name: Type.String() }), querystring: languages } },
    async (request, reply) => {
      const { name } = request.params
      if (!isProblemName(name)) throw new Problem('not-found')
      const language = request.query.lang ?? languageOf(request)
      const text = problemText(name, language)
      const example = problemBody(new Problem(name), {
        language,
        publicUrl,
        requestId: request.id,
        oauth: true,
      })
      const { cause, remedy, visitor, example: sample, index } = words[language]
      return sendHtmlPage(reply, {
        language,
        title: text.title,
        body:
          `<p><code>${problemType(name)}</code></p>` +
          `<h2>${cause}</h2><p>${escapeHtml(text.cause)}</p><h2>${remedy}</h2><p>${escapeHtml(text.remedy)}</p>` +
          `<h2>${visitor}</h2><p>${escapeHtml(text.userMessage)}</p>` +
          `<h2>${sample}</h2><pre>HTTP ${problems[name].status}\n${escapeHtml(JSON.stringify(example, null, 2))}</pre>` +
          `<p><a href="/problems/?lang=${language}">${index}</a> · <a href="?lang=ru">Русский</a> · <a href="?lang=en">English</a></p>`,
      })
    },
  )
}
