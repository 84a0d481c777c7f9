import type { Language } from '../../docs/.vitepress/navigation.ts'
import { problemNames, problems, problemType } from '../../src/problems/table.ts'
import { problemText } from '../../src/problems/texts.ts'
import type { OpenapiDocument } from '../openapi-document.ts'
import { head, table } from './markdown.ts'
import { operations } from './operations.ts'

const words = {
  en: {
    title: 'Problem types',
    intro:
      'Every failure that a caller can meet. Its `type` is `urn:auth-movies:problem:` and the name, the same in every deployment: let your code switch on it. The status and the OAuth `error` belong to the name. What the members of a problem mean, and whether a request may be repeated, is in the [guide](../site-administrators.md#errors).',
    list: 'All types',
    columns: ['Name', 'Status', '`error`', 'What happened'],
    details: 'One by one',
    cause: 'Cause',
    remedy: 'What to do',
    visitor: 'The visitor reads',
    where: 'Documented at',
    everywhere: 'every address',
    elsewhere: 'no single request: any address may give it, or the admin API, or a page that a browser opens',
    quoted: (text: string) => `“${text}”`,
  },
  ru: {
    title: 'Типы ошибок',
    intro:
      'Все ошибки, которые может получить тот, кто обращается к сервису. `type` — это `urn:auth-movies:problem:` и имя, одинаковое в любой установке: по нему и решает ваш код. Статус и `error` из OAuth однозначно связаны с именем. Что значат поля ошибки и можно ли повторить запрос, сказано в [руководстве](../site-administrators.md#ошибки).',
    list: 'Все типы',
    columns: ['Имя', 'Статус', '`error`', 'Что произошло'],
    details: 'По одному',
    cause: 'Причина',
    remedy: 'Что делать',
    visitor: 'Посетитель читает',
    where: 'Указана у запросов',
    everywhere: 'любой адрес',
    elsewhere:
      'ни у одного в отдельности: её даёт любой адрес, API администратора или страница, которую открывает браузер',
    quoted: (text: string) => `«${text}»`,
  },
} as const

/** The page of all problem types: status, error, title, cause, remedy, sentence for the visitor, and where each is met. */
export function problemsPage(language: Language, document: OpenapiDocument): string {
  const said = words[language]
  const all = operations(document)
  const rows = problemNames.map((name) => {
    const { status, error } = problems[name]
    return [`[\`${name}\`](#${name})`, String(status), `\`${error}\``, problemText(name, language).title]
  })
  const sections = problemNames.map((name) => {
    const { title, cause, remedy, userMessage } = problemText(name, language)
    const { status, error } = problems[name]
    const met = all.filter((operation) => operation.problems.has(name)).map(({ id }) => `\`${id}\``)
    const places =
      met.length === all.length
        ? said.everywhere
        : met.length === 0
          ? said.elsewhere
          : [...new Set(met)].join(', ')
    return [
      `### ${name}`,
      `${title}. ${status}, \`${error}\`, \`${problemType(name)}\`.`,
      [
        `- **${said.cause}:** ${cause}`,
        `- **${said.remedy}:** ${remedy}`,
        `- **${said.visitor}:** ${said.quoted(userMessage)}`,
        `- **${said.where}:** ${places}`,
      ].join('\n'),
    ].join('\n\n')
  })
  return [
    head(language, 'problems', said.title, said.intro),
    `## ${said.list}`,
    table(said.columns, rows),
    `## ${said.details}`,
    ...sections,
  ].join('\n\n')
}
